//! An engine behind its gate, its pace measured.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::Stream;
use peerway_openapi::chat::{ChatChunk, ChatRequest};
use peerway_openapi::completions::CompletionRequest;
use peerway_openapi::embeddings::{EmbeddingRequest, EmbeddingResponse};

use super::choices::{self, Runner};
use super::{Answer, Asked, Busy, ChunkStream, Engine, EngineError, Gate, ModelInfo, Pace, Slot, capability};

/// Lets requests through to an engine while it has slots. A slot is held until the answer has ended or was dropped.
pub struct GatedEngine {
    inner: Arc<dyn Engine>,
    models: Vec<ModelInfo>,
    gate: Arc<Gate>,
    pace: Arc<Pace>,
}

impl GatedEngine {
    /// Puts the gate before the engine.
    #[must_use]
    pub fn new(inner: Arc<dyn Engine>, gate: Arc<Gate>) -> Self {
        Self { models: inner.models(), inner, gate, pace: Arc::default() }
    }

    /// How fast it has been lately.
    #[must_use]
    pub fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }

    /// The gate.
    #[must_use]
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }
}

#[async_trait]
impl Engine for GatedEngine {
    fn models(&self) -> Vec<ModelInfo> {
        self.models.clone()
    }

    fn makes_choices(&self) -> bool {
        true
    }

    async fn chat(&self, request: ChatRequest) -> Result<Answer, EngineError> {
        self.answer(request.into()).await
    }

    async fn complete(&self, request: CompletionRequest) -> Result<Answer, EngineError> {
        self.answer(request.into()).await
    }

    async fn answer(&self, asked: Asked) -> Result<Answer, EngineError> {
        self.answer_queued(asked).await.1
    }

    async fn embed(&self, request: EmbeddingRequest) -> Result<EmbeddingResponse, EngineError> {
        self.embed_queued(request).await.1
    }

    async fn embed_queued(&self, request: EmbeddingRequest) -> (Duration, Result<EmbeddingResponse, EngineError>) {
        let came = Instant::now();
        let _slot = match self.slot(&request.model, embeds).await {
            Ok(slot) => slot,
            Err(error) => return (came.elapsed(), Err(error)),
        };
        (came.elapsed(), self.inner.embed(request).await)
    }

    async fn answer_queued(&self, asked: Asked) -> (Duration, Result<Answer, EngineError>) {
        let came = Instant::now();
        let slot = match self.slot(asked.model(), makes_text).await {
            Ok(slot) => slot,
            Err(error) => return (came.elapsed(), Err(error)),
        };
        (came.elapsed(), self.answer_in(slot, asked).await)
    }
}

impl GatedEngine {
    async fn slot(&self, id: &str, takes: fn(&ModelInfo) -> Result<(), EngineError>) -> Result<Slot, EngineError> {
        // Before the queue: who asks for the wrong model must not wait to be told.
        match self.models.iter().find(|known| known.id == id) {
            None => return Err(EngineError::UnknownModel(id.to_owned())),
            Some(model) => takes(model)?,
        }
        self.gate.enter().await.map_err(|Busy| EngineError::Busy)
    }

    async fn answer_in(&self, slot: Slot, asked: Asked) -> Result<Answer, EngineError> {
        if asked.choices() > 1 && !self.inner.makes_choices() {
            let (engine, gate, pace) = (self.inner.clone(), self.gate.clone(), self.pace.clone());
            return choices::answer(Runner { engine, gate, pace }, asked, slot).await.map(Answer::Stream);
        }
        let began = Instant::now();
        Ok(match self.inner.answer(asked).await? {
            Answer::Whole(whole) => {
                if let Some(usage) = &whole.usage {
                    self.pace.tokens_in(usage.completion_tokens, began.elapsed());
                }
                Answer::Whole(whole)
            }
            Answer::Stream(stream) => {
                Answer::Stream(Box::pin(Metered::new(stream, self.pace.clone(), began, Some(slot))))
            }
        })
    }
}

fn makes_text(model: &ModelInfo) -> Result<(), EngineError> {
    if model.can(capability::EMBEDDINGS) { Err(EngineError::only_embeds()) } else { Ok(()) }
}

fn embeds(model: &ModelInfo) -> Result<(), EngineError> {
    if model.can(capability::EMBEDDINGS) { Ok(()) } else { Err(EngineError::makes_no_embeddings()) }
}

/// A stream that measures its pace and may hold a slot.
pub(super) struct Metered {
    stream: ChunkStream,
    pace: Arc<Pace>,
    began: Instant,
    first: Option<Instant>,
    pieces: u64,
    _slot: Option<Slot>,
}

impl Metered {
    pub(super) fn new(stream: ChunkStream, pace: Arc<Pace>, began: Instant, slot: Option<Slot>) -> Self {
        Self { stream, pace, began, first: None, pieces: 0, _slot: slot }
    }
}

impl Stream for Metered {
    type Item = Result<ChatChunk, EngineError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let polled = this.stream.as_mut().poll_next(context);
        if let Poll::Ready(Some(Ok(chunk))) = &polled
            && !chunk.choices.is_empty()
        {
            match this.first {
                None => {
                    this.first = Some(Instant::now());
                    this.pace.first_token_after(this.began.elapsed());
                }
                Some(_) => this.pieces += 1,
            }
        }
        polled
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        if let Some(first) = self.first {
            self.pace.tokens_in(self.pieces, first.elapsed());
        }
    }
}
