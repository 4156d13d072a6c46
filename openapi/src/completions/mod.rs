//! `POST /v1/completions`: raw prompts without a conversation, whose answers are told as text.
//!
//! OpenAI keeps it for old clients, and base models and benchmarks have nothing else. Its answers are read and written
//! here by way of the chat chunk, which is the one form in which answers are counted and billed.

mod convert;
mod dialect;
mod prompt;
mod request;
mod response;
mod validate;

pub use convert::TextOffsets;
pub use dialect::CompletionsDialect;
pub use prompt::{Prompt, Prompts};
pub use request::{CompletionRequest, DEFAULT_MAX_TOKENS};
pub use response::{Completion, CompletionChunk, CompletionLogprobs, TextChoice, TextFinish, TextPiece};
