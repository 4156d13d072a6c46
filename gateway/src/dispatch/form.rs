//! The forms in which nodes are asked, each with its path.

use peerway_openapi::chat::ChatChunk;
use peerway_openapi::completions::CompletionChunk;

/// How a node is asked, and how it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A conversation.
    Chat,
    /// Texts to go on with.
    Completion,
}

/// What an answer may come to at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// Tokens of each answer.
    pub tokens: u64,
    /// Answers.
    pub answers: u64,
}

impl Form {
    /// Where nodes take it.
    pub(super) fn path(self) -> http::Uri {
        http::Uri::from_static(match self {
            Self::Chat => "/v1/chat/completions",
            Self::Completion => "/v1/completions",
        })
    }

    /// What the ids of such answers begin with.
    #[must_use]
    pub fn id_prefix(self) -> &'static str {
        match self {
            Self::Chat => "chatcmpl-",
            Self::Completion => "cmpl-",
        }
    }

    /// An event of such an answer, in the one form in which answers are counted.
    pub(super) fn read(self, event: &[u8]) -> Result<ChatChunk, serde_json::Error> {
        match self {
            Self::Chat => serde_json::from_slice(event),
            Self::Completion => serde_json::from_slice::<CompletionChunk>(event).map(ChatChunk::from),
        }
    }
}
