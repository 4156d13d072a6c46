//! The events of a streamed response.
//!
//! Each has its number, so that a caller who lost its connection can ask for those after the last one it saw.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::part::ReasoningText;
use super::{OutputItem, OutputLogprob, OutputPart, Response};
use crate::dialect::Unwritable;
use crate::sse;

/// An event and its number.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ResponseEvent {
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
    /// Counts the events of a response from 0.
    pub sequence_number: u64,
}

/// What happened. `output_index` is the item's place in the response, `content_index` the part's place in the item.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type")]
#[expect(missing_docs, reason = "the fields of an event are those of the items and parts it tells of")]
pub enum EventKind {
    /// The response exists.
    #[serde(rename = "response.created")]
    Created { response: Box<Response> },
    /// It waits for its turn.
    #[serde(rename = "response.queued")]
    Queued { response: Box<Response> },
    /// Its answer is being made.
    #[serde(rename = "response.in_progress")]
    InProgress { response: Box<Response> },
    /// Its answer is whole.
    #[serde(rename = "response.completed")]
    Completed { response: Box<Response> },
    /// Its answer ended early.
    #[serde(rename = "response.incomplete")]
    Incomplete { response: Box<Response> },
    /// It failed.
    #[serde(rename = "response.failed")]
    Failed { response: Box<Response> },
    /// An item begins.
    #[serde(rename = "response.output_item.added")]
    ItemAdded { output_index: usize, item: OutputItem },
    /// An item is whole, or ended early.
    #[serde(rename = "response.output_item.done")]
    ItemDone { output_index: usize, item: OutputItem },
    /// A part of an item begins.
    #[serde(rename = "response.content_part.added")]
    PartAdded { item_id: String, output_index: usize, content_index: usize, part: EventPart },
    /// A part of an item is whole.
    #[serde(rename = "response.content_part.done")]
    PartDone { item_id: String, output_index: usize, content_index: usize, part: EventPart },
    /// More text.
    #[serde(rename = "response.output_text.delta")]
    TextDelta {
        item_id: String,
        output_index: usize,
        content_index: usize,
        delta: String,
        logprobs: Vec<OutputLogprob>,
    },
    /// The text is whole.
    #[serde(rename = "response.output_text.done")]
    TextDone { item_id: String, output_index: usize, content_index: usize, text: String, logprobs: Vec<OutputLogprob> },
    /// More thoughts.
    #[serde(rename = "response.reasoning_text.delta")]
    ReasoningDelta { item_id: String, output_index: usize, content_index: usize, delta: String },
    /// The thoughts are whole.
    #[serde(rename = "response.reasoning_text.done")]
    ReasoningDone { item_id: String, output_index: usize, content_index: usize, text: String },
    /// More of a call's arguments.
    #[serde(rename = "response.function_call_arguments.delta")]
    ArgumentsDelta { item_id: String, output_index: usize, delta: String },
    /// A call's arguments are whole.
    #[serde(rename = "response.function_call_arguments.done")]
    ArgumentsDone { item_id: String, output_index: usize, name: String, arguments: String },
}

/// A part of an item.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum EventPart {
    /// Of a message.
    Said(OutputPart),
    /// Of thoughts.
    Thought(ReasoningText),
}

impl EventKind {
    /// The event's name, which is also its `type`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "response.created",
            Self::Queued { .. } => "response.queued",
            Self::InProgress { .. } => "response.in_progress",
            Self::Completed { .. } => "response.completed",
            Self::Incomplete { .. } => "response.incomplete",
            Self::Failed { .. } => "response.failed",
            Self::ItemAdded { .. } => "response.output_item.added",
            Self::ItemDone { .. } => "response.output_item.done",
            Self::PartAdded { .. } => "response.content_part.added",
            Self::PartDone { .. } => "response.content_part.done",
            Self::TextDelta { .. } => "response.output_text.delta",
            Self::TextDone { .. } => "response.output_text.done",
            Self::ReasoningDelta { .. } => "response.reasoning_text.delta",
            Self::ReasoningDone { .. } => "response.reasoning_text.done",
            Self::ArgumentsDelta { .. } => "response.function_call_arguments.delta",
            Self::ArgumentsDone { .. } => "response.function_call_arguments.done",
        }
    }
}

impl ResponseEvent {
    /// The event as a frame with its name.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn frame(&self) -> Result<Bytes, Unwritable> {
        sse::named_frame(self.kind.name(), self)
    }
}

/// The number of a frame's event, None where it has none: a comment. Of several frames, that of the first.
#[must_use]
pub fn sequence_of(frame: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Numbered {
        sequence_number: u64,
    }
    let data = frame.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"data: "))?;
    serde_json::from_slice::<Numbered>(data).ok().map(|numbered| numbered.sequence_number)
}

/// The frames of what a dialect wrote, each with its end. JSON writes line ends in strings as escapes, so that two of
/// them end a frame and nothing else.
pub fn split_frames(frames: &Bytes) -> impl Iterator<Item = Bytes> + use<> {
    let mut rest = frames.clone();
    std::iter::from_fn(move || {
        let end = rest.windows(2).position(|pair| pair == b"\n\n").map_or(rest.len(), |place| place + 2);
        (end > 0).then(|| rest.split_to(end))
    })
}
