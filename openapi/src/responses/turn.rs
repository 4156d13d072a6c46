//! Items of a conversation into the messages that models read.
//!
//! Chat has one message where this API has several items: what the assistant said and the calls it made belong
//! together, and chat templates refuse calls that are answered apart from each other. Thoughts are left out, because
//! models are trained to read conversations without those of earlier turns.

use serde::{Deserialize, Serialize};

use super::{InputContent, InputItem, InputPart, OutputItem, OutputPart};
use crate::chat::{Content, ContentPart, FunctionCall, ImageUrl, Message, Role, ToolCall, ToolKind};

/// What was said and what was answered: one step of a kept conversation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The request's own items.
    pub input: Vec<InputItem>,
    /// The answer's.
    pub output: Vec<OutputItem>,
}

impl Turn {
    /// The turn as messages, for the history of the next one. Instructions are no part of it.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        let answered: Vec<_> = self.output.iter().cloned().map(InputItem::from).collect();
        messages_of(self.input.iter().chain(&answered))
    }
}

/// The messages that these items are.
pub(super) fn messages_of<'a>(items: impl IntoIterator<Item = &'a InputItem>) -> Vec<Message> {
    let mut messages = Vec::new();
    for item in items {
        match item {
            InputItem::Message { role, content, .. } => messages.push(said((*role).into(), content)),
            InputItem::FunctionCall { call_id, name, arguments, .. } => {
                let function = FunctionCall { name: name.clone(), arguments: arguments.clone() };
                call(&mut messages, ToolCall { id: call_id.clone(), kind: ToolKind::Function, function });
            }
            InputItem::FunctionCallOutput { call_id, output, .. } => {
                let answer = said(Role::Tool, output);
                messages.push(Message { tool_call_id: Some(call_id.clone()), ..answer });
            }
            InputItem::Reasoning { .. } => {}
        }
    }
    messages
}

/// Adds a call to the assistant's message that comes right before it, or to one of its own.
fn call(messages: &mut Vec<Message>, call: ToolCall) {
    match messages.last_mut() {
        Some(message) if message.role == Role::Assistant => message.tool_calls.get_or_insert_default().push(call),
        _ => messages.push(Message {
            role: Role::Assistant,
            content: None,
            name: None,
            tool_calls: Some(vec![call]),
            tool_call_id: None,
        }),
    }
}

fn said(role: Role, content: &InputContent) -> Message {
    let parts = match content {
        InputContent::Text(text) => return Message::text(role, text.clone()),
        InputContent::Parts(parts) => parts.as_slice(),
    };
    // A single text is what templates expect of an assistant and of a tool.
    if let [InputPart::InputText { text } | InputPart::OutputText { text }] = parts {
        return Message::text(role, text.clone());
    }
    let parts = parts.iter().cloned().map(ContentPart::from).collect();
    Message { content: Some(Content::Parts(parts)), ..Message::text(role, "") }
}

impl From<InputPart> for ContentPart {
    fn from(part: InputPart) -> Self {
        match part {
            InputPart::InputText { text } | InputPart::OutputText { text } => Self::Text { text },
            InputPart::Refusal { refusal } => Self::Refusal { refusal },
            InputPart::InputImage { image_url, detail } => {
                Self::ImageUrl { image_url: ImageUrl { url: image_url, detail } }
            }
            InputPart::InputAudio { input_audio } => Self::InputAudio { input_audio },
        }
    }
}

impl From<OutputItem> for InputItem {
    fn from(item: OutputItem) -> Self {
        match item {
            OutputItem::Message { id, status, role: _, content } => Self::Message {
                id: Some(id),
                status: Some(status),
                role: super::InputRole::Assistant,
                content: InputContent::Parts(content.into_iter().map(InputPart::from).collect()),
            },
            OutputItem::FunctionCall { id, call_id, name, arguments, status } => {
                Self::FunctionCall { id: Some(id), status: Some(status), call_id, name, arguments }
            }
            OutputItem::Reasoning { id, summary, content, status } => {
                Self::Reasoning { id: Some(id), status: Some(status), summary, content }
            }
        }
    }
}

impl From<OutputPart> for InputPart {
    fn from(part: OutputPart) -> Self {
        match part {
            OutputPart::OutputText { text, .. } => Self::OutputText { text },
            OutputPart::Refusal { refusal } => Self::Refusal { refusal },
        }
    }
}
