//! The events of a streamed answer, as Anthropic has them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AnswerBlock, MessagesAnswer, MessagesErrorBody, MessagesUsage, StopReason};
use crate::dialect::Unwritable;
use crate::sse;

/// An event. Its name is its `type`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum MessagesEvent {
    /// The first.
    MessageStart {
        /// The answer without content.
        message: MessagesAnswer,
    },
    /// A block begins.
    ContentBlockStart {
        /// Which block of the answer, from 0.
        index: u32,
        /// The block, with nothing in it.
        content_block: AnswerBlock,
    },
    /// More of the block that began last.
    ContentBlockDelta {
        /// Which block of the answer.
        index: u32,
        /// What is new.
        delta: BlockDelta,
    },
    /// A block ends.
    ContentBlockStop {
        /// Which block of the answer.
        index: u32,
    },
    /// The answer ends.
    MessageDelta {
        /// Why.
        delta: MessageEnd,
        /// What it consumed.
        usage: MessagesUsage,
    },
    /// The last.
    MessageStop,
    /// Keeps proxies from cutting a silent stream.
    Ping,
    /// The last of a stream that broke.
    Error {
        /// What went wrong.
        error: MessagesErrorBody,
    },
}

/// What is new in a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BlockDelta {
    /// More thoughts.
    ThinkingDelta {
        /// The thoughts.
        thinking: String,
    },
    /// The end of thoughts.
    SignatureDelta {
        /// Always empty.
        signature: String,
    },
    /// More text.
    TextDelta {
        /// The text.
        text: String,
    },
    /// More of a tool's arguments.
    InputJsonDelta {
        /// A piece of JSON.
        partial_json: String,
    },
}

/// Why the answer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageEnd {
    /// Why the model stopped.
    pub stop_reason: StopReason,
    /// The stop text at which it stopped, where it was one of the caller's.
    pub stop_sequence: Option<String>,
}

impl MessagesEvent {
    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
            Self::Ping => "ping",
            Self::Error { .. } => "error",
        }
    }

    /// The event, framed.
    ///
    /// # Errors
    /// Where it cannot be written as JSON.
    pub fn frame(&self) -> Result<Bytes, Unwritable> {
        sse::named_frame(self.name(), self)
    }
}
