//! `POST /v1/chat/completions`: the request, the whole answer and the streamed answer.

mod assemble;
mod dialect;
mod message;
mod request;
mod response;
mod stop;
mod tools;
mod validate;

pub use assemble::{Assembler, Incomplete};
pub use dialect::ChatDialect;
pub use message::{Content, ContentPart, ImageUrl, InputAudio, Message, Role};
pub use request::{ChatRequest, MaxTokens, ReasoningEffort, StreamOptions, Verbosity};
pub use response::{
    AssistantMessage, ChatChunk, ChatCompletion, Choice, ChunkChoice, Delta, FinishReason, Logprobs, TokenLogprob,
    TopLogprob,
};
pub use stop::Stop;
pub use tools::{
    FunctionCall, FunctionCallDelta, FunctionDefinition, FunctionName, JsonSchemaFormat, NamedFunction, ResponseFormat,
    Tool, ToolCall, ToolCallDelta, ToolChoice, ToolKind, ToolMode,
};
pub(crate) use validate::MAX_CHOICES;
