//! The whole answer, as Anthropic has it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::chat::{AssistantMessage, ChatCompletion, FinishReason, ToolCall};
use crate::usage::{CostDetails, Usage};

/// The whole answer, or what is known of it when a stream begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MessagesAnswer {
    /// `msg_…`.
    pub id: String,
    /// Always `message`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Always `assistant`.
    pub role: String,
    /// The catalog's id of the model that answered.
    pub model: String,
    /// What the model thought, said and called, in this order.
    pub content: Vec<AnswerBlock>,
    /// Why it stopped; null while it has not.
    pub stop_reason: Option<StopReason>,
    /// The stop text at which it stopped, where it was one of the caller's.
    pub stop_sequence: Option<String>,
    /// What it consumed.
    pub usage: MessagesUsage,
    /// The node that served, where the gateway tells. An extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// A block of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AnswerBlock {
    /// The thoughts of a model that shows them.
    Thinking {
        /// The thoughts.
        thinking: String,
        /// Always empty: nothing signs thoughts here, and those that are sent back are dropped.
        signature: String,
    },
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A call of a tool.
    ToolUse {
        /// Names the call in the result that answers it.
        id: String,
        /// The tool.
        name: String,
        /// Its arguments. Those that are no JSON object, as the model was cut off or erred, are the text under
        /// `INVALID_JSON`.
        #[schema(value_type = Object)]
        input: Map<String, Value>,
    },
}

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It was done.
    EndTurn,
    /// It reached a limit: the caller's, the model's context, or the credit.
    MaxTokens,
    /// It met a stop text.
    StopSequence,
    /// It calls tools.
    ToolUse,
    /// Its answer was withheld.
    Refusal,
}

/// What a request consumed, as Anthropic counts: what was cached is not part of `input_tokens`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MessagesUsage {
    /// Tokens of the rendered conversation, less those that were cached.
    pub input_tokens: u64,
    /// Always 0: nodes keep what they read by themselves, and nobody pays for it.
    pub cache_creation_input_tokens: u64,
    /// Tokens of the conversation that the node had in its prefix cache.
    pub cache_read_input_tokens: u64,
    /// Tokens generated.
    pub output_tokens: u64,
    /// What the caller paid, in USD. An extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// What the cost is made of. An extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_details: Option<CostDetails>,
}

impl From<&Usage> for MessagesUsage {
    fn from(usage: &Usage) -> Self {
        let cached = usage.cached_tokens();
        Self {
            input_tokens: usage.prompt_tokens - cached,
            cache_creation_input_tokens: 0,
            cache_read_input_tokens: cached,
            output_tokens: usage.completion_tokens,
            cost: usage.cost,
            cost_details: usage.cost_details,
        }
    }
}

impl MessagesAnswer {
    /// An answer of which nothing is known yet but the tokens of the conversation.
    #[must_use]
    pub fn empty(id: impl Into<String>, model: impl Into<String>, input_tokens: u64) -> Self {
        Self {
            id: id.into(),
            kind: "message".to_owned(),
            role: "assistant".to_owned(),
            model: model.into(),
            content: Vec::new(),
            stop_reason: None,
            stop_sequence: None,
            usage: MessagesUsage { input_tokens, ..MessagesUsage::default() },
            provider: None,
        }
    }

    /// The same answer with what a chat's first answer says.
    #[must_use]
    pub fn with(mut self, answer: ChatCompletion) -> Self {
        self.provider = answer.provider;
        if let Some(usage) = &answer.usage {
            self.usage = usage.into();
        }
        let Some(choice) = answer.choices.into_iter().next() else { return self };
        self.content = blocks(choice.message, &self.id);
        let calls = self.content.iter().any(|block| matches!(block, AnswerBlock::ToolUse { .. }));
        let (reason, sequence) = stop(choice.finish_reason, calls, choice.stop_reason);
        Self { stop_reason: Some(reason), stop_sequence: sequence, ..self }
    }
}

/// Why an answer ended, and the stop text where it was one. Some servers say that they stopped when they call a tool.
pub(super) fn stop(finish: FinishReason, calls: bool, stop_text: Option<String>) -> (StopReason, Option<String>) {
    match (finish, stop_text) {
        (FinishReason::Stop, Some(text)) => (StopReason::StopSequence, Some(text)),
        (FinishReason::Stop, None) if !calls => (StopReason::EndTurn, None),
        (FinishReason::Stop | FinishReason::ToolCalls, _) => (StopReason::ToolUse, None),
        (FinishReason::Length, _) => (StopReason::MaxTokens, None),
        (FinishReason::ContentFilter, _) => (StopReason::Refusal, None),
    }
}

/// The name of a call that came without: clients need one to answer it.
pub(super) fn call_id(given: Option<String>, message: &str, place: usize) -> String {
    given.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("toolu_{}_{place}", message.trim_start_matches("msg_")))
}

fn blocks(message: AssistantMessage, id: &str) -> Vec<AnswerBlock> {
    let thoughts = message.reasoning_content.filter(|thoughts| !thoughts.is_empty());
    let thoughts = thoughts.map(|thinking| AnswerBlock::Thinking { thinking, signature: String::new() });
    let text = message.content.filter(|text| !text.is_empty()).map(|text| AnswerBlock::Text { text });
    let calls = message.tool_calls.into_iter().flatten().enumerate().map(|(place, call)| {
        let ToolCall { id: given, function, .. } = call;
        let input = arguments(&function.arguments);
        AnswerBlock::ToolUse { id: call_id(Some(given), id, place), name: function.name, input }
    });
    thoughts.into_iter().chain(text).chain(calls).collect()
}

fn arguments(text: &str) -> Map<String, Value> {
    match serde_json::from_str(text) {
        Ok(Value::Object(arguments)) => arguments,
        _ if text.trim().is_empty() => Map::new(),
        _ => Map::from_iter([("INVALID_JSON".to_owned(), json!(text))]),
    }
}
