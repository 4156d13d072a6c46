//! `POST /v1/messages`: Anthropic's API, in front of the same nodes.
//!
//! Many programs speak nothing else. A request is put into the words of a chat request, which is what nodes read, and
//! the answer into Anthropic's, piece by piece. What its API documents and no node here can do is refused by name, in
//! the caller's own terms, because leaving it out would change the answer; what only hints at how to serve it, such as
//! `cache_control`, `metadata` and `service_tier`, is accepted and dropped.

mod answer;
mod content;
mod convert;
mod dialect;
mod error;
mod events;
mod lines;
mod options;
mod paths;
mod request;

pub use answer::{AnswerBlock, MessagesAnswer, MessagesUsage, StopReason};
pub use content::{Block, ImageSource, Turn, TurnContent, TurnRole};
pub use dialect::MessagesDialect;
pub use error::{MessagesError, MessagesErrorBody, error_response};
pub use events::{BlockDelta, MessageEnd, MessagesEvent};
pub use options::{
    Effort, MessagesTool, MessagesToolChoice, MessagesToolChoiceKind, OutputConfig, OutputFormat, Thinking,
    ThinkingKind,
};
pub use request::{CountTokensRequest, MessagesRequest, TokenCount};
