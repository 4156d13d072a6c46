//! A checked request in mistral.rs's words.

use std::collections::HashMap;
use std::sync::Arc;

use either::Either;
use indexmap::IndexMap;
use mistralrs::{
    Constraint, Function, MessageContent, RequestMessage, SamplingParams, Tool as MistralTool,
    ToolChoice as MistralChoice, ToolType,
};
use peerway_openapi::chat::{ChatRequest, Message, ResponseFormat, Role, Tool, ToolCall, ToolChoice, ToolMode};
use serde_json::{Value, json};

use super::EngineError;
use super::chooser::Chooser;
use super::draw::Sampling;
use crate::engine::capability;

/// What the chat template renders.
#[derive(Clone)]
pub(super) struct Prompt {
    pub(super) messages: Vec<IndexMap<String, MessageContent>>,
    pub(super) tools: Option<Vec<MistralTool>>,
}

/// A request in mistral.rs's words.
pub(super) struct Translated {
    pub(super) prompt: Prompt,
    pub(super) sampling: SamplingParams,
    pub(super) chooser: Arc<Chooser>,
    pub(super) constraint: Constraint,
    pub(super) tool_choice: Option<MistralChoice>,
    pub(super) stops: Vec<String>,
    /// Tool calls that the answer may have.
    pub(super) most_calls: usize,
}

impl Translated {
    /// Refuses what this engine cannot follow. `follows_tools`: the model's template shows tools.
    pub(super) fn of(request: ChatRequest, follows_tools: bool) -> Result<Self, EngineError> {
        if request.choices() != 1 {
            return Err(EngineError::bad_param("n", "This engine makes one choice at a time; its gate asks for each."));
        }
        let tools = offered_tools(&request, follows_tools)?;
        let constraint = constraint(&request, tools.as_deref())?;
        Ok(Self {
            prompt: Prompt {
                messages: request.messages.iter().map(message).collect(),
                tools: tools.as_deref().map(|tools| tools.iter().map(tool).collect()),
            },
            sampling: penalties(&request),
            chooser: chooser(&request),
            constraint,
            // `auto` even where a call is required: mistral.rs fails every answer of a batch where one that must call does
            // not. The constraint sees to it that it does.
            tool_choice: tools.is_some().then_some(MistralChoice::Auto),
            most_calls: if request.parallel_tool_calls == Some(false) { 1 } else { usize::MAX },
            stops: request.stop.map(|stop| stop.0).unwrap_or_default(),
        })
    }
}

impl Prompt {
    /// Messages alone.
    pub(super) fn of(messages: &[Message]) -> Self {
        Self { messages: messages.iter().map(message).collect(), tools: None }
    }

    pub(super) fn to_message(&self) -> RequestMessage {
        RequestMessage::Chat { messages: self.messages.clone(), enable_thinking: None, reasoning_effort: None }
    }
}

/// What this engine follows beyond the usual parameters.
pub(super) fn capabilities(follows_tools: bool) -> Vec<String> {
    let followed = capability::ALL.into_iter().filter(|&name| follows_tools || name != capability::TOOLS);
    followed.map(str::to_owned).collect()
}

/// The same prompt without and with a tool.
pub(super) fn tool_probe() -> (Prompt, Prompt) {
    let without = Prompt::of(&[Message::text(Role::User, "probe")]);
    let function = Function { description: None, name: "probe".to_owned(), parameters: None };
    let tool = MistralTool { tp: ToolType::Function, function };
    (without.clone(), Prompt { tools: Some(vec![tool]), ..without })
}

/// The tools that the model is shown. None: none.
fn offered_tools(request: &ChatRequest, follows_tools: bool) -> Result<Option<Vec<Tool>>, EngineError> {
    let tools = request.tools.as_deref().unwrap_or_default();
    let offered = match &request.tool_choice {
        Some(ToolChoice::Mode(ToolMode::None)) => Vec::new(),
        Some(ToolChoice::Mode(ToolMode::Required)) if tools.is_empty() => {
            return Err(EngineError::bad_param("tool_choice", "A required call needs at least one tool."));
        }
        Some(ToolChoice::Named(named)) => {
            tools.iter().filter(|tool| tool.function.name == named.function.name).cloned().collect()
        }
        _ => tools.to_vec(),
    };
    if offered.is_empty() {
        return Ok(None);
    }
    if !follows_tools {
        return Err(EngineError::bad_param("tools", "This model's chat template has no place for tools."));
    }
    Ok(Some(offered))
}

/// The grammar that the answer must follow.
fn constraint(request: &ChatRequest, tools: Option<&[Tool]>) -> Result<Constraint, EngineError> {
    let must_call = matches!(request.tool_choice, Some(ToolChoice::Mode(ToolMode::Required) | ToolChoice::Named(_)));
    let schema = match &request.response_format {
        None | Some(ResponseFormat::Text) => None,
        Some(ResponseFormat::JsonObject) => Some(json!({ "type": "object" })),
        Some(ResponseFormat::JsonSchema { json_schema }) => match &json_schema.schema {
            Some(schema) => Some(schema.clone()),
            None => {
                return Err(EngineError::bad_param("response_format.json_schema.schema", "The schema is missing."));
            }
        },
    };
    match (tools, schema) {
        (Some(_), Some(_)) => Err(EngineError::bad_param(
            "response_format",
            "This engine cannot offer tools and hold the answer to a format at the same time.",
        )),
        (Some(tools), None) if must_call => Ok(Constraint::JsonSchema(call_schema(tools))),
        (_, Some(schema)) => Ok(Constraint::JsonSchema(schema)),
        (_, None) => Ok(Constraint::None),
    }
}

/// A call of any of these tools, in the form that mistral.rs recognises.
fn call_schema(tools: &[Tool]) -> Value {
    let call = |tool: &Tool| {
        let arguments = tool.function.parameters.clone().map_or(json!({ "type": "object" }), Value::Object);
        json!({
            "type": "object",
            "properties": { "name": { "const": tool.function.name }, "arguments": arguments },
            "required": ["name", "arguments"],
            "additionalProperties": false,
        })
    };
    json!({ "anyOf": tools.iter().map(call).collect::<Vec<_>>() })
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

/// What mistral.rs itself applies. A temperature of 0: it then takes the one token that the chooser left possible.
fn penalties(request: &ChatRequest) -> SamplingParams {
    SamplingParams {
        temperature: Some(0.0),
        frequency_penalty: request.frequency_penalty,
        presence_penalty: request.presence_penalty,
        repetition_penalty: request.repetition_penalty,
        ..SamplingParams::neutral()
    }
}

fn chooser(request: &ChatRequest) -> Arc<Chooser> {
    let sampling = Sampling {
        temperature: request.temperature.unwrap_or(1.0),
        top_k: request.top_k.and_then(|top_k| usize::try_from(top_k).ok()),
        top_p: request.top_p.unwrap_or(1.0),
        min_p: request.min_p.unwrap_or(0.0),
        seed: request.seed.map_or_else(rand::random, i64::cast_unsigned),
    };
    let bias = request.logit_bias.iter().flatten();
    let bias = bias.filter_map(|(token, bias)| Some((token.parse().ok()?, *bias))).collect();
    let top = request.top_logprobs.and_then(|top| usize::try_from(top).ok()).unwrap_or_default();
    Chooser::new(sampling, bias, (request.logprobs == Some(true)).then_some(top))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(change: &Value) -> ChatRequest {
        let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }] });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    fn refused(change: &Value, follows_tools: bool) -> Option<String> {
        match Translated::of(request(change), follows_tools) {
            Err(EngineError::BadRequest { param, .. }) => param,
            Err(other) => panic!("{other}"),
            Ok(_) => None,
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused_and_named() {
        let tools = json!([{ "type": "function", "function": { "name": "f" } }]);
        let object = json!({ "type": "json_object" });
        assert_eq!(refused(&json!({ "tools": tools }), false).as_deref(), Some("tools"));
        assert_eq!(refused(&json!({ "tools": tools }), true), None);
        assert_eq!(refused(&json!({ "tools": tools, "tool_choice": "none" }), false), None);
        assert_eq!(refused(&json!({ "tool_choice": "required" }), true).as_deref(), Some("tool_choice"));
        let both = json!({ "tools": tools, "response_format": object });
        assert_eq!(refused(&both, true).as_deref(), Some("response_format"));
        assert_eq!(refused(&json!({ "n": 2 }), true).as_deref(), Some("n"));
        let no_schema = json!({ "response_format": { "type": "json_schema", "json_schema": { "name": "x" } } });
        assert_eq!(refused(&no_schema, true).as_deref(), Some("response_format.json_schema.schema"));
    }

    #[test]
    fn a_required_call_becomes_a_grammar() {
        let tools = json!([{ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } }]);
        let translated = Translated::of(request(&json!({ "tools": tools, "tool_choice": "required" })), true).unwrap();
        let Constraint::JsonSchema(schema) = translated.constraint else { panic!("no schema") };
        assert_eq!(schema["anyOf"][0]["properties"]["name"]["const"], "f");
    }

    #[test]
    fn messages_are_as_templates_read_them() {
        let sent = json!({ "messages": [
            { "role": "developer", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] },
            { "role": "assistant", "tool_calls": [
                { "id": "c1", "type": "function", "function": { "name": "f", "arguments": "{\"x\":1}" } }] },
            { "role": "tool", "tool_call_id": "c1", "content": "done" },
        ] });
        let messages = Translated::of(request(&sent), true).unwrap().prompt.messages;
        assert_eq!(messages[0]["role"], Either::Left("system".to_owned()));
        assert_eq!(messages[0]["content"], Either::Left("ab".to_owned()));
        let Either::Right(calls) = &messages[1]["tool_calls"] else { panic!("no calls") };
        assert_eq!(calls[0]["function"], json!({ "name": "f", "arguments": { "x": 1 } }));
        assert_eq!(messages[2]["tool_call_id"], Either::Left("c1".to_owned()));
    }
}
