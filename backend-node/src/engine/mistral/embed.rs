//! A model that makes embeddings.
//!
//! mistral.rs has two, `EmbeddingGemma` and Qwen3-Embedding, from folders in the layout of sentence-transformers. Texts
//! are embedded one after the other: in a batch mistral.rs fills the shorter ones up with a token that it takes for text.

use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use mistralrs::core::MistralRsBuilder;
use mistralrs::{
    Constraint, DefaultSchedulerMethod, MistralRs, NormalRequest, Request, RequestMessage, Response, SamplingParams,
    SchedulerConfig,
};
use peerway_openapi::chat::ChatRequest;
use peerway_openapi::completions::{self, CompletionRequest};
use peerway_openapi::embeddings::{EmbeddingRequest, EmbeddingResponse, EmbeddingUsage, Vector};
use tokio::sync::{mpsc, oneshot};

use super::load::{self, Read};
use super::prompt::Prompt;
use super::tokens::{self, Tokenizer};
use super::turn::Turns;
use super::{BROKE, LoadError, MistralSettings, vocabulary};
use crate::engine::{Answer, Engine, EngineError, ModelInfo, capability};

/// Serves one model that makes embeddings.
pub struct MistralEmbedder {
    runner: Arc<MistralRs>,
    model: ModelInfo,
    context: usize,
    vocabulary: usize,
    dimensions: usize,
    tokenizer: Tokenizer,
    turns: Turns,
}

impl MistralEmbedder {
    /// Loads the model. Takes from a second to minutes; needs a multi-threaded runtime.
    ///
    /// # Errors
    /// `LoadError` where the files are missing, damaged or of a model that mistral.rs does not know.
    pub async fn load(settings: MistralSettings) -> Result<Self, LoadError> {
        if settings.chat_template.is_some() {
            return Err(LoadError::new("--chat-template: this model makes embeddings and has no conversations"));
        }
        let Read { pipeline, quantization, weights_hash, .. } = load::open(&settings).await?;
        let (facts, tokenizer) = {
            let pipeline = pipeline.lock().await;
            (pipeline.get_metadata(), pipeline.tokenizer())
        };
        let Some(vocabulary) = tokenizer.map(|tokenizer| tokenizer.get_vocab_size(true)) else {
            return Err(LoadError::new("the model has no tokenizer that could be read"));
        };
        let context = load::within(&settings, facts.max_seq_len)?;
        let method = DefaultSchedulerMethod::Fixed(NonZeroUsize::MIN);
        let scheduler = SchedulerConfig::DefaultScheduler { method };
        let runner = MistralRsBuilder::new(pipeline, scheduler, false, None).with_no_prefix_cache(true).build().await;
        let mut embedder = Self {
            tokenizer: Tokenizer::new(runner.clone(), settings.slots),
            runner,
            model: ModelInfo {
                id: settings.id,
                context_length: u32::try_from(context).unwrap_or(u32::MAX),
                quantization,
                weights_hash,
                capabilities: vec![capability::EMBEDDINGS.to_owned()],
            },
            context,
            vocabulary,
            dimensions: 0,
            turns: Turns::new(1),
        };
        // The only way to learn how long its vectors are, whatever modules it has; and whether it works at all.
        let probe = embedder.vector(completions::Prompt::Text("probe".to_owned()), "input").await;
        let (vector, _) = probe.map_err(|error| LoadError::new(format!("the model does not work: {error}")))?;
        embedder.dimensions = vector.len();
        Ok(embedder)
    }

    /// A text's vector and the number of its tokens.
    async fn vector(&self, input: completions::Prompt, field: &str) -> Result<(Vec<f32>, usize), EngineError> {
        let tokens = match input {
            completions::Prompt::Tokens(tokens) => {
                vocabulary::check(&tokens, self.vocabulary, field)?;
                tokens
            }
            completions::Prompt::Text(text) => self.tokenizer.read(Prompt::Text(text)).await?,
        };
        let count = tokens.len();
        if count > self.context {
            return Err(EngineError::ContextLength {
                field: "input",
                prompt_tokens: count,
                context_length: self.context,
            });
        }
        if count == 0 {
            return Err(EngineError::bad_param(field, "This text has no tokens."));
        }
        let vector = self.compute(twice_if_alone(tokens)).await?;
        if vector.iter().any(|number| !number.is_finite()) {
            return Err(EngineError::node(BROKE, "the model made a vector that has no numbers"));
        }
        Ok((vector, count))
    }

    async fn compute(&self, prompt: Vec<u32>) -> Result<Vec<f32>, EngineError> {
        let turn = self.turns.next().await;
        let (runner, id) = (self.runner.clone(), self.runner.next_request_id());
        let (answered, answer) = oneshot::channel();
        // A task that does not leave before the engine has answered, so that the turn ends when the engine is done.
        tokio::spawn(async move {
            let (response, mut messages) = mpsc::channel(1);
            let request = NormalRequest {
                constraint: Constraint::None,
                ..NormalRequest::new_simple(
                    RequestMessage::EmbeddingTokens { prompt },
                    SamplingParams::deterministic(),
                    response,
                    id,
                    None,
                    None,
                )
            };
            let asked = tokens::send(&runner, Request::Normal(Box::new(request))).await;
            let _left = answered.send(match asked {
                Ok(()) => messages.recv().await,
                Err(_) => None,
            });
            drop(turn);
        });
        match answer.await {
            Ok(Some(Response::Embeddings { embeddings, .. })) => Ok(embeddings),
            Ok(Some(Response::ValidationError(error) | Response::InternalError(error))) => {
                Err(EngineError::node(BROKE, error.to_string()))
            }
            Ok(Some(_)) => Err(EngineError::node(BROKE, "mistral.rs sent a message that no embedding has")),
            Ok(None) | Err(_) => Err(EngineError::node(BROKE, "the engine's thread ended while embedding")),
        }
    }
}

/// mistral.rs's engine dies of a text of one token: it makes no mask for it and then insists on one. The same token twice
/// has the same vector: positions only weigh what is attended to, and there is nothing but the same to weigh.
fn twice_if_alone(tokens: Vec<u32>) -> Vec<u32> {
    match tokens[..] {
        [only] => vec![only, only],
        _ => tokens,
    }
}

#[async_trait]
impl Engine for MistralEmbedder {
    fn models(&self) -> Vec<ModelInfo> {
        vec![self.model.clone()]
    }

    fn concurrency(&self) -> Option<usize> {
        Some(1)
    }

    async fn chat(&self, _request: ChatRequest) -> Result<Answer, EngineError> {
        Err(EngineError::only_embeds())
    }

    async fn complete(&self, _request: CompletionRequest) -> Result<Answer, EngineError> {
        Err(EngineError::only_embeds())
    }

    async fn embed(&self, request: EmbeddingRequest) -> Result<EmbeddingResponse, EngineError> {
        if request.model != self.model.id {
            return Err(EngineError::UnknownModel(request.model));
        }
        let wanted = request.dimensions.map(|dimensions| usize::try_from(dimensions).unwrap_or(usize::MAX));
        if wanted.is_some_and(|wanted| wanted != self.dimensions) {
            let message = format!("This model's vectors have {} dimensions, and cannot be shortened.", self.dimensions);
            return Err(EngineError::bad_param("dimensions", message));
        }
        let format = request.format();
        let (mut vectors, mut prompt_tokens) = (Vec::new(), 0_u64);
        for (place, input) in request.input.0.into_iter().enumerate() {
            let (vector, tokens) = self.vector(input, &format!("input[{place}]")).await?;
            prompt_tokens = prompt_tokens.saturating_add(u64::try_from(tokens).unwrap_or(u64::MAX));
            let vector = Vector::Floats(vector).in_format(format);
            vectors.push(vector.map_err(|error| EngineError::node(BROKE, error.to_string()))?);
        }
        Ok(EmbeddingResponse::new(self.model.id.clone(), vectors, EmbeddingUsage::of_tokens(prompt_tokens)))
    }
}
