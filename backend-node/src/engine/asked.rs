//! What is asked of an engine and answered in chunks.
//!
//! Queueing, measuring, several choices and streaming are the same whatever was asked, so they are written once, over this.

use peerway_openapi::chat::ChatRequest;

/// A request that is answered in chunks.
#[derive(Debug, Clone)]
pub enum Asked {
    /// A conversation to go on with.
    Chat(Box<ChatRequest>),
}

impl From<ChatRequest> for Asked {
    fn from(request: ChatRequest) -> Self {
        Self::Chat(Box::new(request))
    }
}

impl Asked {
    /// The public id of the model.
    #[must_use]
    pub fn model(&self) -> &str {
        match self {
            Self::Chat(request) => &request.model,
        }
    }

    /// Choices wanted, at least one.
    #[must_use]
    pub fn choices(&self) -> u32 {
        match self {
            Self::Chat(request) => request.choices().max(1),
        }
    }

    /// Whether the answer is to be streamed.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        match self {
            Self::Chat(request) => request.is_stream(),
        }
    }

    /// Whether the stream ends with a usage chunk.
    #[must_use]
    pub fn wants_usage_chunk(&self) -> bool {
        match self {
            Self::Chat(request) => request.wants_usage_chunk(),
        }
    }

    /// One choice as a request of its own, streamed. A caller's seed counts up from choice to choice: the same seed for
    /// all would give the same answer for all.
    pub(super) fn choice(&self, index: u32) -> Self {
        match self {
            Self::Chat(request) => {
                let seed = request.seed.map(|seed| seed.wrapping_add(i64::from(index)));
                ChatRequest { n: None, seed, stream: Some(true), ..request.as_ref().clone() }.into()
            }
        }
    }

    /// Whether a choice is the first that reads its prompt. The others read it too, but a prompt is paid once.
    pub(super) fn is_first_of_prompt(&self, index: u32) -> bool {
        match self {
            Self::Chat(_) => index == 0,
        }
    }
}
