//! What is the same in every chunk of one answer.

use std::time::{SystemTime, UNIX_EPOCH};

use peerway_openapi::chat::{ChatChunk, Delta, FinishReason};
use peerway_openapi::usage::Usage;
use uuid::Uuid;

/// Id, time and model of one answer.
#[derive(Debug, Clone)]
pub struct Stamp {
    id: String,
    created: i64,
    model: String,
}

impl Stamp {
    /// A new answer of this model in a conversation, begun now.
    #[must_use]
    pub fn new(model: impl Into<String>) -> Self {
        Self::with_prefix("chatcmpl", model)
    }

    /// A new answer of this model to a raw prompt, begun now.
    #[must_use]
    pub fn of_text(model: impl Into<String>) -> Self {
        Self::with_prefix("cmpl", model)
    }

    fn with_prefix(prefix: &str, model: impl Into<String>) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            id: format!("{prefix}-{}", Uuid::new_v4().simple()),
            created: i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX),
            model: model.into(),
        }
    }

    /// A chunk with one piece of the answer.
    #[must_use]
    pub fn piece(&self, delta: Delta, finish_reason: Option<FinishReason>) -> ChatChunk {
        ChatChunk::piece(self.id.clone(), self.created, self.model.clone(), delta, finish_reason)
    }

    /// The chunk that ends the answer: usage, and no choices.
    #[must_use]
    pub fn usage(&self, usage: Usage) -> ChatChunk {
        let empty = ChatChunk::empty(self.id.clone(), self.created, self.model.clone());
        ChatChunk { usage: Some(usage), ..empty }
    }
}
