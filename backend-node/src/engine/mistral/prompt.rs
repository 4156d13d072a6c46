//! What the model reads: a conversation through its chat template, or text as it stands.

use std::collections::HashMap;

use either::Either;
use indexmap::IndexMap;
use mistralrs::{Function, MessageContent, RequestMessage, Tool as MistralTool, ToolType};
use peerway_openapi::chat::{ChatRequest, Message, Role, Tool, ToolCall};
use peerway_openapi::completions::{self, CompletionRequest};
use serde_json::{Value, json};

use super::EngineError;
use super::thinking::Thinking;

/// What the model reads.
#[derive(Clone)]
pub(super) enum Prompt {
    /// Rendered with the model's template.
    Chat(Conversation),
    /// As it stands.
    Text(String),
    /// Tokens of the model's vocabulary.
    Tokens(Vec<u32>),
}

/// What the chat template renders.
#[derive(Clone)]
pub(super) struct Conversation {
    pub(super) messages: Vec<IndexMap<String, MessageContent>>,
    pub(super) tools: Option<Vec<MistralTool>>,
    pub(super) thinking: Thinking,
}

impl Prompt {
    /// The conversation of a request, with the tools that the model is shown.
    pub(super) fn of_chat(request: &ChatRequest, tools: &[&Tool], thinking: Thinking) -> Self {
        Self::Chat(Conversation {
            messages: request.messages.iter().map(message).collect(),
            tools: (!tools.is_empty()).then(|| tools.iter().map(|shown| tool(shown)).collect()),
            thinking,
        })
    }

    /// The one prompt of a completion.
    pub(super) fn of_completion(request: CompletionRequest) -> Result<Self, EngineError> {
        let mut prompts = request.prompt.0.into_iter();
        match (prompts.next(), prompts.next()) {
            (Some(completions::Prompt::Text(text)), None) => Ok(Self::Text(text)),
            (Some(completions::Prompt::Tokens(tokens)), None) => Ok(Self::Tokens(tokens)),
            _ => {
                Err(EngineError::bad_param("prompt", "This engine reads one prompt at a time; its gate asks for each."))
            }
        }
    }

    /// A conversation to try a template with.
    pub(super) fn probe() -> Conversation {
        let messages = vec![message(&Message::text(Role::User, "probe"))];
        Conversation { messages, tools: None, thinking: Thinking::default() }
    }

    /// The request's field that it came in.
    pub(super) fn field(&self) -> &'static str {
        match self {
            Self::Chat(_) => "messages",
            Self::Text(_) | Self::Tokens(_) => "prompt",
        }
    }

    pub(super) fn into_message(self) -> RequestMessage {
        match self {
            Self::Chat(conversation) => RequestMessage::Chat {
                messages: conversation.messages,
                enable_thinking: conversation.thinking.enable,
                reasoning_effort: conversation.thinking.effort,
            },
            Self::Text(text) => RequestMessage::Completion { text, echo_prompt: false, best_of: None },
            Self::Tokens(tokens) => RequestMessage::CompletionTokens(tokens),
        }
    }
}

impl Conversation {
    /// The same with a tool.
    pub(super) fn with_a_tool(self) -> Self {
        let function = Function { description: None, name: "probe".to_owned(), parameters: None };
        Self { tools: Some(vec![MistralTool { tp: ToolType::Function, function }]), ..self }
    }
}

fn tool(tool: &Tool) -> MistralTool {
    let parameters = tool.function.parameters.as_ref();
    MistralTool {
        tp: ToolType::Function,
        function: Function {
            description: tool.function.description.clone(),
            name: tool.function.name.clone(),
            parameters: parameters.map(|fields| fields.clone().into_iter().collect::<HashMap<_, _>>()),
        },
    }
}

/// A message as templates read it: the usual role names, text in one piece, arguments of calls as objects.
fn message(message: &Message) -> IndexMap<String, MessageContent> {
    let mut fields = IndexMap::new();
    let mut text = |name: &str, value: String| fields.insert(name.to_owned(), Either::Left(value));
    text("role", message.role.in_template().to_owned());
    text("content", message.joined_text());
    if let Some(name) = &message.name {
        text("name", name.clone());
    }
    if let Some(id) = &message.tool_call_id {
        text("tool_call_id", id.clone());
    }
    if let Some(calls) = message.tool_calls.as_deref().filter(|calls| !calls.is_empty()) {
        fields.insert("tool_calls".to_owned(), Either::Right(calls.iter().map(tool_call).collect()));
    }
    fields
}

fn tool_call(call: &ToolCall) -> IndexMap<String, Value> {
    // Templates write arguments with `tojson`; a string would come out quoted twice.
    let as_written = || Value::String(call.function.arguments.clone());
    let arguments = serde_json::from_str(&call.function.arguments).unwrap_or_else(|_no_json| as_written());
    IndexMap::from([
        ("id".to_owned(), Value::String(call.id.clone())),
        ("type".to_owned(), Value::String("function".to_owned())),
        ("function".to_owned(), json!({ "name": call.function.name, "arguments": arguments })),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_as_templates_read_them() {
        let sent = json!({ "model": "m", "messages": [
            { "role": "developer", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] },
            { "role": "assistant", "tool_calls": [
                { "id": "c1", "type": "function", "function": { "name": "f", "arguments": "{\"x\":1}" } }] },
            { "role": "tool", "tool_call_id": "c1", "content": "done" },
        ] });
        let request: ChatRequest = serde_json::from_value(sent).unwrap();
        let Prompt::Chat(read) = Prompt::of_chat(&request, &[], Thinking::default()) else { panic!("no chat") };
        let messages = read.messages;
        assert_eq!(messages[0]["role"], Either::Left("system".to_owned()));
        assert_eq!(messages[0]["content"], Either::Left("ab".to_owned()));
        let Either::Right(calls) = &messages[1]["tool_calls"] else { panic!("no calls") };
        assert_eq!(calls[0]["function"]["arguments"]["x"], 1);
        assert_eq!(messages[2]["tool_call_id"], Either::Left("c1".to_owned()));
    }
}
