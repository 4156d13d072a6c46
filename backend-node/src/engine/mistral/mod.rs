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
mod embed;
mod evict;
mod gguf;
mod grammar;
mod load;
mod prefix;
mod prompt;
mod rayon_pool;
mod request;
mod resume;
mod shape;
mod source;
mod stop;
mod stream;
mod template;
mod thinking;
mod tokens;
mod turn;
mod vocabulary;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use mistralrs::core::ReasoningEffort;
use mistralrs::{Constraint, MistralRs, NormalRequest, Request, StopTokens, ToolChoice};
use peerway_openapi::chat::ChatRequest;
use peerway_openapi::completions::{CompletionRequest, Prompt as RawPrompt};
use tokio::sync::mpsc;

pub use embed::MistralEmbedder;
pub use source::Source;

use super::{Answer, Asked, Engine, EngineError, ModelInfo, Stamp, capability};
use grammar::Grammars;
use prefix::PrefixCache;
use prompt::{Conversation, Prompt};
use request::{Follows, Translated};
use thinking::{Reactions, Thinking};
use tokens::Tokenizer;
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
    /// A Jinja template for conversations, in place of the model's own. None: the model's own.
    pub chat_template: Option<PathBuf>,
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

/// Loads whatever model it is. Takes from a second to minutes; needs a multi-threaded runtime.
///
/// # Errors
/// `LoadError` where the files are missing, damaged or of a model that mistral.rs does not know.
pub async fn load(settings: MistralSettings) -> Result<Arc<dyn Engine>, LoadError> {
    if settings.source.makes_embeddings() {
        return Ok(Arc::new(MistralEmbedder::load(settings).await?));
    }
    Ok(Arc::new(MistralEngine::load(settings).await?))
}

/// Serves one model that makes text.
pub struct MistralEngine {
    runner: Arc<MistralRs>,
    model: ModelInfo,
    context: usize,
    vocabulary: Arc<Vocabulary>,
    follows: Follows,
    grammars: Grammars,
    prefix: Arc<PrefixCache>,
    turns: Turns,
    concurrency: usize,
    tokenizer: Tokenizer,
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
            tokenizer: Tokenizer::new(loaded.runner.clone(), settings.slots),
            runner: loaded.runner,
            model: loaded.model,
            context: loaded.context,
            vocabulary: Arc::new(loaded.vocabulary),
            follows: Follows::default(),
            grammars: Grammars::new(loaded.grammars),
            prefix: Arc::new(PrefixCache::new(loaded.keeps_prefixes, settings.prefix_cache)),
            turns: Turns::new(concurrency),
            concurrency,
        };
        if let Some(path) = &settings.chat_template {
            template::try_out(&engine.tokenizer, path).await?;
        }
        engine.follows = engine.try_template(loaded.thinks).await;
        engine.model.capabilities = engine.follows.capabilities();
        if !engine.follows.thinking.thinks {
            engine.model.capabilities.push(capability::RESUME.to_owned());
        }
        Ok(engine)
    }

    /// What changes the prompt: templates leave out silently what they do not know.
    async fn try_template(&self, thinks: bool) -> Follows {
        let thinking = |enable, effort| {
            let thinking = Thinking { enable, effort };
            Conversation { thinking, ..Prompt::probe() }
        };
        let switch = self.differ(thinking(Some(true), None), thinking(Some(false), None)).await;
        let [low, high] = [ReasoningEffort::Low, ReasoningEffort::High].map(Some);
        let degree = self.differ(thinking(None, low), thinking(None, high)).await;
        Follows {
            tools: self.differ(Prompt::probe(), Prompt::probe().with_a_tool()).await,
            thinking: Reactions { switch, degree, thinks },
        }
    }

    async fn differ(&self, one: Conversation, other: Conversation) -> bool {
        let one = self.tokenizer.read(Prompt::Chat(one)).await;
        match (one, self.tokenizer.read(Prompt::Chat(other)).await) {
            (Ok(one), Ok(other)) => one != other,
            _ => false,
        }
    }

    /// Tokens of the prompt, where they fit.
    async fn measure(&self, prompt: &Prompt) -> Result<usize, EngineError> {
        let field = prompt.field();
        let tokens = match prompt {
            Prompt::Tokens(tokens) => {
                self.vocabulary.check(tokens, field)?;
                tokens.len()
            }
            other => self.tokenizer.read(other.clone()).await?.len(),
        };
        match tokens {
            0 => Err(EngineError::bad_param(
                field,
                "The prompt has no tokens, and this model begins with none by itself.",
            )),
            prompt_tokens if prompt_tokens >= self.context => {
                Err(EngineError::ContextLength { field, prompt_tokens, context_length: self.context })
            }
            tokens => Ok(tokens),
        }
    }

    async fn run(&self, translated: Translated) -> Result<Answer, EngineError> {
        self.grammars.check(translated.shape.as_ref()).await?;
        let turn = self.turns.next().await;
        self.prefix.make_room(&self.runner).await;
        let prompt_tokens = self.measure(&translated.prompt).await?;
        let Translated { prompt, sampling, chooser, shape, stops, wants_logprobs, limit, most_calls, added } =
            translated;
        let shape_field = shape.as_ref().map(|shape| shape.field().to_owned());
        let limit = limit.min(self.context - prompt_tokens);
        // Room for the whole answer: the engine's thread waits for whoever does not read, and with it every other answer.
        let room = limit.saturating_add(SPARE_MESSAGES);
        let (response, messages) = mpsc::channel(room);
        let (stamp, tools) = match &prompt {
            Prompt::Chat(conversation) => (Stamp::new(&self.model.id), conversation.tools.clone()),
            Prompt::Text(_) | Prompt::Tokens(_) => (Stamp::of_text(&self.model.id), None),
        };
        let seam = match &added.resume {
            None => None,
            Some(_) if shape.is_some() || tools.is_some() || self.follows.thinking.thinks => {
                return Err(resume::refused("Answers with a shape, tools or thoughts are not gone on with."));
            }
            Some(delivered) => Some(resume::seam(delivered, &self.vocabulary, matches!(prompt, Prompt::Chat(_)))?),
        };
        if wants_logprobs && seam.as_ref().is_some_and(|seam| !seam.held.is_empty()) {
            return Err(resume::refused("Log probabilities of tokens that were held back are not known."));
        }
        let (prompt, limit) = match &seam {
            None => (prompt, limit),
            Some(seam) => {
                chooser.go_on_after(seam.tokens.len());
                let mut tokens = self.tokenizer.read(prompt).await?;
                tokens.extend(&seam.tokens);
                (Prompt::Tokens(tokens), limit.saturating_sub(seam.tokens.len()))
            }
        };
        let tells_tokens = added.token_ids;
        if let Some(end) = seam.as_ref().and_then(|seam| seam.end(limit)) {
            return Ok(Answer::Stream(stream::ended(&stamp, stops, seam, end, prompt_tokens)));
        }
        let request = NormalRequest {
            messages: prompt.into_message(),
            sampling_params: mistralrs::SamplingParams {
                max_len: Some(limit),
                stop_toks: Some(StopTokens::Ids(self.vocabulary.ends())),
                ..sampling
            },
            response,
            return_logprobs: false,
            is_streaming: true,
            id: self.runner.next_request_id(),
            constraint: shape.map_or(Constraint::None, |shape| shape.constraint),
            suffix: None,
            // `auto` even where a call is required: mistral.rs fails every answer of a batch where one that must call does
            // not. The constraint sees to it that it does.
            tool_choice: tools.is_some().then_some(ToolChoice::Auto),
            tools,
            logits_processors: Some(vec![chooser.clone()]),
            return_raw_logits: false,
            web_search_options: None,
            model_id: None,
            truncate_sequence: false,
        };
        tokens::send(&self.runner, Request::Normal(Box::new(request))).await?;
        Ok(Answer::Stream(stream::chunks(stream::Plan {
            stamp,
            messages: turn::relay(messages, turn, room),
            chooser,
            vocabulary: self.vocabulary.clone(),
            stops,
            wants_logprobs,
            prompt_tokens,
            limit,
            most_calls,
            shape_field,
            prefix: self.prefix.clone(),
            tells_tokens,
            held: seam.map(|seam| seam.held),
        })))
    }

    fn serves(&self, model: &str) -> Result<(), EngineError> {
        if model == self.model.id { Ok(()) } else { Err(EngineError::UnknownModel(model.to_owned())) }
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

    fn check(&self, asked: &Asked) -> Result<(), EngineError> {
        let Asked::Completion(request) = asked else { return Ok(()) };
        request.prompt.0.iter().try_for_each(|prompt| match prompt {
            RawPrompt::Tokens(tokens) => self.vocabulary.check(tokens, "prompt"),
            RawPrompt::Text(_) => Ok(()),
        })
    }

    async fn chat(&self, request: ChatRequest) -> Result<Answer, EngineError> {
        self.serves(&request.model)?;
        self.run(Translated::of_chat(&request, self.follows)?).await
    }

    async fn complete(&self, request: CompletionRequest) -> Result<Answer, EngineError> {
        self.serves(&request.model)?;
        self.run(Translated::of_completion(request)?).await
    }
}
