//! mistral.rs in this process.
//!
//! The SDK's own request types are used only up to the engine's channel, past which this module speaks to mistral.rs's
//! core itself, for four reasons: the SDK's stream holds one message, so that a slow reader would stall every other
//! answer; its loader for GGUF files cannot be given a type of activations; and seeds, biases and stop texts are ours
//! (see `chooser` and `stop`). `mistralrs-server-core` was rejected: it is a router of its own, with fields that run code.
//!
//! Answers are always streamed inside, because only a stream that is dropped stops the work.

mod chooser;
mod draw;
mod evict;
mod gguf;
mod load;
mod prefix;
mod rayon_pool;
mod request;
mod source;
mod stop;
mod stream;
mod turn;
mod vocabulary;

use std::sync::Arc;

use async_trait::async_trait;
use mistralrs::core::TokenizationRequest;
use mistralrs::{MistralRs, NormalRequest, Request};
use peerway_openapi::chat::ChatRequest;
use tokio::sync::{Semaphore, mpsc, oneshot};

pub use source::Source;

use super::{Answer, Engine, EngineError, ModelInfo, Stamp};
use prefix::PrefixCache;
use request::Translated;
use turn::Turns;
use vocabulary::Vocabulary;

/// Messages that an answer may have besides one a token: its end, and an error.
const SPARE_MESSAGES: usize = 16;
/// For the caller, whatever broke inside.
const BROKE: &str = "The engine failed.";

/// What the engine is started with.
#[derive(Debug, Clone)]
pub struct MistralSettings {
    /// Where the weights come from.
    pub source: Source,
    /// The public name of the model.
    pub id: String,
    /// Tokens of prompt and answer together, at most the model's own. None: the model's own.
    pub context: Option<u32>,
    /// Answers computed at the same time.
    pub slots: usize,
    /// Type of the activations: `auto`, `f32`, `f16` or `bf16`. None: `f32` on a CPU, `auto` elsewhere.
    pub dtype: Option<String>,
    /// Quantization while loading, not for GGUF files. None: as stored.
    pub isq: Option<String>,
    /// Finished conversations whose state is kept for their next turn.
    pub prefix_cache: usize,
}

/// The model could not be loaded. Its text is one line for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LoadError(String);

impl LoadError {
    fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// Serves one model with mistral.rs.
pub struct MistralEngine {
    runner: Arc<MistralRs>,
    model: ModelInfo,
    context: usize,
    vocabulary: Arc<Vocabulary>,
    follows_tools: bool,
    prefix: Arc<PrefixCache>,
    turns: Turns,
    concurrency: usize,
    /// Bounds the prompts being read whose callers may have left already.
    readers: Arc<Semaphore>,
}

impl MistralEngine {
    /// Loads the model. Takes from a second to minutes; needs a multi-threaded runtime.
    ///
    /// # Errors
    /// `LoadError` where the files are missing, damaged or of a model that mistral.rs does not know.
    pub async fn load(settings: MistralSettings) -> Result<Self, LoadError> {
        let loaded = load::load(&settings).await?;
        let concurrency = if loaded.mixes_batches { 1 } else { settings.slots.max(1) };
        let mut engine = Self {
            runner: loaded.runner,
            model: loaded.model,
            context: loaded.context,
            vocabulary: Arc::new(loaded.vocabulary),
            follows_tools: false,
            prefix: Arc::new(PrefixCache::new(loaded.keeps_prefixes, settings.prefix_cache)),
            turns: Turns::new(concurrency),
            concurrency,
            readers: Arc::new(Semaphore::new(settings.slots.saturating_mul(2).max(2))),
        };
        engine.follows_tools = engine.template_shows_tools().await;
        engine.model.capabilities = request::capabilities(engine.follows_tools);
        Ok(engine)
    }

    /// Whether a tool given with the request changes the prompt: templates that know no tools leave them out silently.
    async fn template_shows_tools(&self) -> bool {
        let (without, with) = request::tool_probe();
        match (self.tokens(without).await, self.tokens(with).await) {
            (Ok(without), Ok(with)) => without != with,
            _ => false,
        }
    }

    /// Tokens of the rendered prompt.
    async fn tokens(&self, prompt: request::Prompt) -> Result<usize, EngineError> {
        // mistral.rs's engine panics where the asker has left. So the asking is a task of its own that never leaves.
        let permit = self.readers.clone().acquire_owned().await;
        let sender = self.sender()?;
        let (answered, answer) = oneshot::channel();
        tokio::spawn(async move {
            let (response, mut tokens) = mpsc::channel(1);
            let request = TokenizationRequest {
                text: either::Either::Left(prompt.messages),
                tools: prompt.tools,
                add_generation_prompt: true,
                add_special_tokens: true,
                enable_thinking: None,
                reasoning_effort: None,
                response,
            };
            let asked = sender.send(Request::Tokenize(request)).await;
            let counted = if asked.is_ok() { tokens.recv().await } else { None };
            let _left = answered.send(counted.map(|counted| counted.map(|tokens| tokens.len())));
            drop(permit);
        });
        match answer.await {
            Ok(Some(Ok(tokens))) => Ok(tokens),
            Ok(Some(Err(error))) => {
                let message = format!("The messages do not fit this model's chat template: {}", first_line(&error));
                Err(EngineError::bad_param("messages", message))
            }
            Ok(None) | Err(_) => Err(EngineError::node(BROKE, "the engine's thread ended while reading a prompt")),
        }
    }

    fn sender(&self) -> Result<mpsc::Sender<Request>, EngineError> {
        self.runner.get_sender(None).map_err(|error| EngineError::node(BROKE, error.to_string()))
    }
}

#[async_trait]
impl Engine for MistralEngine {
    fn models(&self) -> Vec<ModelInfo> {
        vec![self.model.clone()]
    }

    fn concurrency(&self) -> Option<usize> {
        Some(self.concurrency)
    }

    async fn chat(&self, request: ChatRequest) -> Result<Answer, EngineError> {
        if request.model != self.model.id {
            return Err(EngineError::UnknownModel(request.model));
        }
        let wants_logprobs = request.logprobs == Some(true);
        let limit = request.max_generated().and_then(|limit| usize::try_from(limit.tokens).ok()).unwrap_or(usize::MAX);
        let translated = Translated::of(request, self.follows_tools)?;
        let turn = self.turns.next().await;
        self.prefix.make_room(&self.runner).await;
        let prompt_tokens = self.tokens(translated.prompt.clone()).await?;
        if prompt_tokens >= self.context {
            return Err(EngineError::ContextLength { prompt_tokens, context_length: self.context });
        }
        let limit = limit.min(self.context - prompt_tokens);
        // Room for the whole answer: the engine's thread waits for whoever does not read, and with it every other answer.
        let room = limit.saturating_add(SPARE_MESSAGES);
        let (response, messages) = mpsc::channel(room);
        let Translated { prompt, sampling, chooser, constraint, tool_choice, stops, most_calls } = translated;
        let request = NormalRequest {
            messages: prompt.to_message(),
            sampling_params: mistralrs::SamplingParams { max_len: Some(limit), ..sampling },
            response,
            return_logprobs: false,
            is_streaming: true,
            id: self.runner.next_request_id(),
            constraint,
            suffix: None,
            tools: prompt.tools.clone(),
            tool_choice,
            logits_processors: Some(vec![chooser.clone()]),
            return_raw_logits: false,
            web_search_options: None,
            model_id: None,
            truncate_sequence: false,
        };
        let sent = self.sender()?.send(Request::Normal(Box::new(request))).await;
        sent.map_err(|_closed| EngineError::node(BROKE, "the engine's thread has ended"))?;
        Ok(Answer::Stream(stream::chunks(stream::Plan {
            stamp: Stamp::new(&self.model.id),
            messages: turn::relay(messages, turn, room),
            chooser,
            vocabulary: self.vocabulary.clone(),
            stops,
            wants_logprobs,
            prompt_tokens,
            limit,
            most_calls,
            prefix: self.prefix.clone(),
        })))
    }
}

fn first_line(error: &anyhow::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().chars().take(300).collect()
}
