//! An engine behind its gate, its pace measured.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::Stream;
use peerway_openapi::chat::{ChatChunk, ChatRequest};

use super::{Answer, ChunkStream, Engine, EngineError, Gate, ModelInfo, Pace, Slot};

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

    async fn chat(&self, request: ChatRequest) -> Result<Answer, EngineError> {
        self.chat_queued(request).await.1
    }

    async fn chat_queued(&self, request: ChatRequest) -> (Duration, Result<Answer, EngineError>) {
        let came = Instant::now();
        // Before the queue: who asks for the wrong model must not wait to be told.
        if !self.models.iter().any(|model| model.id == request.model) {
            return (Duration::ZERO, Err(EngineError::UnknownModel(request.model)));
        }
        let Ok(slot) = self.gate.enter().await else { return (came.elapsed(), Err(EngineError::Busy)) };
        let queued = came.elapsed();
        let began = Instant::now();
        let answer = self.inner.chat(request).await.map(|answer| match answer {
            Answer::Whole(whole) => {
                if let Some(usage) = &whole.usage {
                    self.pace.tokens_in(usage.completion_tokens, began.elapsed());
                }
                Answer::Whole(whole)
            }
            Answer::Stream(stream) => {
                let pace = self.pace.clone();
                Answer::Stream(Box::pin(Metered { stream, pace, began, first: None, pieces: 0, _slot: slot }))
            }
        });
        (queued, answer)
    }
}

/// A stream that holds its slot and measures its pace.
struct Metered {
    stream: ChunkStream,
    pace: Arc<Pace>,
    began: Instant,
    first: Option<Instant>,
    pieces: u64,
    _slot: Slot,
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
