//! What answers a request.
//!
//! A node sells the work of one engine: mistral.rs in this process, a server that the operator runs already, or a script
//! for tests. The node service, the slot limit and the load report are the same for all three, so this trait is the one
//! place that differs.
//!
//! The trait takes a typed request and gives typed chunks. Passing bytes through was rejected: an engine would then see
//! fields that nobody checked, and the gateway would have to trust frames that nobody parsed.

mod asked;
pub mod capability;
mod choices;
mod error;
mod gate;
mod gated;
pub mod http;
mod media;
#[cfg(feature = "mistral")]
pub mod mistral;
mod pace;
#[cfg(feature = "scripted")]
pub mod scripted;
mod stamp;

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use peerway_openapi::chat::{ChatChunk, ChatCompletion, ChatRequest};
use peerway_openapi::completions::CompletionRequest;
use peerway_openapi::embeddings::{EmbeddingRequest, EmbeddingResponse};

pub use asked::Asked;
pub use error::{EngineError, Fault};
pub use gate::{Busy, Gate, Occupancy, Slot};
pub use gated::GatedEngine;
pub use pace::{Pace, PaceReport};
pub use stamp::Stamp;

/// An answer in pieces. Dropping it stops the work.
///
/// Each chunk has a piece of one choice. A choice's first piece carries `role` and its last `finish_reason`. After the
/// last piece of all comes one chunk with `usage` and no choices, where the engine knows the usage. An error ends it.
pub type ChunkStream = BoxStream<'static, Result<ChatChunk, EngineError>>;

/// What an engine answers with.
pub enum Answer {
    /// All at once; only for a request that did not ask for a stream.
    Whole(Box<ChatCompletion>),
    /// In pieces. An engine may always stream: the node service assembles the pieces where the caller wants them whole.
    Stream(ChunkStream),
}

/// A model that an engine serves, as far as the advert and `GET /v1/models` need to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// The public id, which requests name.
    pub id: String,
    /// Tokens of prompt and answer together.
    pub context_length: u32,
    /// How the weights are stored, for example `Q8_0`; `unknown` where the engine cannot tell.
    pub quantization: String,
    /// What tells equal weights apart from others: `sha256:…` over the weight files. None where the node does not hold
    /// the files, as behind an operator's own server.
    pub weights_hash: Option<String>,
    /// What the engine follows beyond the usual parameters; see [`capability`].
    pub capabilities: Vec<String>,
}

impl ModelInfo {
    /// Whether it can do this.
    #[must_use]
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known == capability)
    }
}

/// Something that answers requests.
#[async_trait]
pub trait Engine: Send + Sync {
    /// The models it serves. They do not change while it runs.
    fn models(&self) -> Vec<ModelInfo>;

    /// Answers that it can compute at the same time; more would wait for each other. None: as many as one likes.
    fn concurrency(&self) -> Option<usize> {
        None
    }

    /// Whether it makes several choices of one request by itself. Otherwise it is asked for each of them alone, streamed;
    /// [`GatedEngine`] sees to that.
    fn makes_choices(&self) -> bool {
        false
    }

    /// Looks at every prompt of a request before the first of them is worked on: an answer that has begun can only break.
    ///
    /// # Errors
    /// `BadRequest` naming the field.
    fn check(&self, _asked: &Asked) -> Result<(), EngineError> {
        Ok(())
    }

    /// Answers one request, which has been validated. Dropping the future stops the work.
    ///
    /// # Errors
    /// `EngineError`; a parameter that the engine cannot follow is refused with `BadRequest`, never ignored.
    async fn chat(&self, request: ChatRequest) -> Result<Answer, EngineError>;

    /// Goes on with raw prompts, in the same chunks: text is text. The choice of an answer is its prompt's place times `n`,
    /// and which of its `n` it is.
    ///
    /// # Errors
    /// As [`Self::chat`].
    async fn complete(&self, request: CompletionRequest) -> Result<Answer, EngineError>;

    /// Turns texts into vectors, in the order and the form that the request asks for.
    ///
    /// # Errors
    /// As [`Self::chat`].
    async fn embed(&self, _request: EmbeddingRequest) -> Result<EmbeddingResponse, EngineError> {
        Err(EngineError::makes_no_embeddings())
    }

    /// As [`Self::embed`], and how long the request waited for a slot.
    async fn embed_queued(&self, request: EmbeddingRequest) -> (Duration, Result<EmbeddingResponse, EngineError>) {
        (Duration::ZERO, self.embed(request).await)
    }

    /// Answers whatever is answered in chunks.
    ///
    /// # Errors
    /// As [`Self::chat`].
    async fn answer(&self, asked: Asked) -> Result<Answer, EngineError> {
        match asked {
            Asked::Chat(request) => self.chat(*request).await,
            Asked::Completion(request) => self.complete(*request).await,
        }
    }

    /// As [`Self::answer`], and how long the request waited for a slot: not at all, where nothing stands before the engine.
    async fn answer_queued(&self, asked: Asked) -> (Duration, Result<Answer, EngineError>) {
        (Duration::ZERO, self.answer(asked).await)
    }
}
