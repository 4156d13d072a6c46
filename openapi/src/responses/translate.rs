//! The request as the chat request that nodes serve.

use super::turn::messages_of;
use super::{CreateResponse, InputContent, InputItem, InputPart, InputRole, ItemStatus};
use crate::ApiError;
use crate::chat::{ChatRequest, Message, ResponseFormat, Role, Tool, ToolChoice};

impl CreateResponse {
    /// The chat request that asks for the same: instructions, what was said before, and what is said now.
    ///
    /// # Errors
    /// `InvalidRequest` with the path of the field at fault, by this API's name.
    pub fn to_chat(&self, history: Vec<Message>) -> Result<ChatRequest, ApiError> {
        let instructions = self.instructions.iter().map(|text| Message::text(Role::System, text.clone()));
        let messages = instructions.chain(history).chain(messages_of(&self.input.0)).collect();
        let text = self.text.clone().unwrap_or_default();
        let chat = ChatRequest {
            model: self.model.clone(),
            messages,
            stream: self.stream,
            max_completion_tokens: self.max_output_tokens,
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            seed: self.seed,
            logprobs: self.wants_logprobs().then_some(true),
            top_logprobs: self.top_logprobs,
            tools: self.tools.clone().map(|tools| tools.into_iter().map(Tool::from).collect()),
            tool_choice: self.tool_choice.clone().map(ToolChoice::from),
            parallel_tool_calls: self.parallel_tool_calls,
            response_format: self.text.as_ref().map(|text| ResponseFormat::from(text.format.clone())),
            reasoning_effort: self.reasoning.as_ref().and_then(|reasoning| reasoning.effort),
            verbosity: text.verbosity,
            provider: self.provider.clone(),
            models: self.models.clone(),
            ..ChatRequest::default()
        };
        match chat.validate() {
            Ok(()) => Ok(chat),
            Err(error) => Err(renamed(error)),
        }
    }

    /// The input with an id on every item and every text as a part, as it is kept and listed. `id` is hexadecimal, and
    /// that of the response: `msg_<id>_i0` is the first message. Ids that the caller sent are kept.
    #[must_use]
    pub fn items(&self, id: &str) -> Vec<InputItem> {
        self.input.0.iter().cloned().enumerate().map(|(place, item)| item.kept(id, place)).collect()
    }
}

/// The error, with the field at fault by the name that it has in this API.
pub(super) fn renamed(error: ApiError) -> ApiError {
    let Some(field) = error.param() else { return error };
    let name = if field.starts_with("messages") {
        "input".to_owned()
    } else if let Some(below) = field.strip_prefix("response_format") {
        format!("text.format{}", below.strip_prefix(".json_schema").unwrap_or(below))
    } else if field.starts_with("tools[") {
        field.replace(".function.", ".")
    } else {
        match field {
            "max_completion_tokens" => "max_output_tokens".to_owned(),
            "reasoning_effort" => "reasoning.effort".to_owned(),
            "verbosity" => "text.verbosity".to_owned(),
            other => other.to_owned(),
        }
    };
    error.at(name)
}

impl InputItem {
    fn kept(self, response: &str, place: usize) -> Self {
        let named = |id: Option<String>, kind: &str| id.or_else(|| Some(format!("{kind}_{response}_i{place}")));
        let whole = |status: Option<ItemStatus>| status.or(Some(ItemStatus::Completed));
        match self {
            Self::Message { id, status, role, content } => {
                let content = InputContent::Parts(match content {
                    InputContent::Text(text) if role == InputRole::Assistant => vec![InputPart::OutputText { text }],
                    InputContent::Text(text) => vec![InputPart::InputText { text }],
                    InputContent::Parts(parts) => parts,
                });
                Self::Message { id: named(id, "msg"), status: whole(status), role, content }
            }
            Self::FunctionCall { id, status, call_id, name, arguments } => {
                Self::FunctionCall { id: named(id, "fc"), status: whole(status), call_id, name, arguments }
            }
            Self::FunctionCallOutput { id, status, call_id, output } => {
                Self::FunctionCallOutput { id: named(id, "fco"), status: whole(status), call_id, output }
            }
            Self::Reasoning { id, status, summary, content } => {
                Self::Reasoning { id: named(id, "rs"), status: whole(status), summary, content }
            }
        }
    }
}
