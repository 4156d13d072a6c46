//! `POST /v1/responses`: conversations of items, kept by the server, told as named events.
//!
//! A request becomes a chat request, because that is what nodes serve; its chat answer becomes items again. What OpenAI
//! runs on its own servers (tools, files, prompts) is refused by name.

mod answer;
mod dialect;
mod events;
mod input;
mod list;
mod options;
mod output;
mod part;
mod read;
mod request;
mod response;
mod translate;
mod turn;
mod validate;

pub use dialect::ResponsesDialect;
pub use events::{EventKind, EventPart, ResponseEvent, sequence_of, split_frames};
pub use input::{Input, InputContent, InputItem, InputRole};
pub use list::{ItemList, Order};
pub use options::{ResponseTool, ResponseToolChoice, TextFormat, TextOptions};
pub use output::{
    InputTokensDetails, OutputItem, OutputLogprob, OutputPart, OutputTokensDetails, OutputTopLogprob, ResponseUsage,
};
pub use part::{InputPart, ReasoningText, SummaryText};
pub use request::{CreateResponse, Reasoning};
pub use response::{DeletedResponse, IncompleteDetails, ItemStatus, Response, ResponseError, ResponseStatus};
pub use turn::Turn;
