//! The response: what was asked, how far its answer came, and the answer.
//!
//! Nearly all keys are always there, null where there is nothing to say: official clients fail on missing ones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CreateResponse, OutputItem, Reasoning, ResponseTool, ResponseToolChoice, ResponseUsage, TextOptions};
use crate::chat::ToolMode;
use crate::{ApiError, ErrorKind};

/// A response, from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Response {
    /// `resp_…`.
    pub id: String,
    /// Always `response`.
    #[serde(default = "response_object")]
    pub object: String,
    /// Seconds since 1970.
    pub created_at: i64,
    /// When its answer was whole, in seconds since 1970. Null until then, and where nobody said when.
    pub completed_at: Option<i64>,
    /// How far it came.
    pub status: ResponseStatus,
    /// Whether it is made without the caller waiting.
    pub background: bool,
    /// Why it failed; null where it did not.
    pub error: Option<ResponseError>,
    /// Why it ended early; null where it did not.
    pub incomplete_details: Option<IncompleteDetails>,
    /// Instructions to the model.
    pub instructions: Option<String>,
    /// The most tokens to generate.
    pub max_output_tokens: Option<u32>,
    /// The catalog's id of the model that answers.
    pub model: String,
    /// The answer so far.
    pub output: Vec<OutputItem>,
    /// Whether the model may call several functions at once.
    pub parallel_tool_calls: bool,
    /// The response that it continues.
    pub previous_response_id: Option<String>,
    /// How the model thinks.
    pub reasoning: Reasoning,
    /// Whether it is kept.
    pub store: bool,
    /// As asked. Null: the model's own.
    pub temperature: Option<f64>,
    /// The shape and length of the text.
    pub text: TextOptions,
    /// Whether and what the model must call.
    pub tool_choice: ResponseToolChoice,
    /// Functions that the model may call.
    pub tools: Vec<ResponseTool>,
    /// As asked. Null: the model's own.
    pub top_p: Option<f64>,
    /// How many likely tokens are returned at each place.
    pub top_logprobs: u32,
    /// Always `disabled`.
    pub truncation: String,
    /// What it consumed. Left out until that is known: the official schema has no null here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<ResponseUsage>,
    /// The caller's own notes.
    pub metadata: BTreeMap<String, String>,
    /// Always `default`.
    pub service_tier: String,
    /// The caller's own name for its user. Left out where there is none, as `usage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The node that served, where the gateway tells. An extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// How far a response came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResponseStatus {
    /// It waits for its turn.
    Queued,
    /// Its answer is being made.
    InProgress,
    /// Its answer is whole.
    Completed,
    /// Its answer ended early, at a limit or a filter.
    Incomplete,
    /// It failed.
    Failed,
    /// The caller cancelled it.
    Cancelled,
}

/// How far an item came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    /// It is being made.
    InProgress,
    /// It is whole.
    Completed,
    /// It ended early.
    Incomplete,
}

/// Why a response failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResponseError {
    /// `server_error`, `rate_limit_exceeded` or `invalid_prompt`: those of OpenAI's codes that fit.
    pub code: String,
    /// For a person: what is wrong and what to do.
    pub message: String,
}

/// Why a response ended early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IncompleteDetails {
    /// `max_output_tokens` or `content_filter`.
    pub reason: String,
}

/// The answer to `DELETE /v1/responses/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedResponse {
    /// `resp_…`.
    pub id: String,
    /// Always `response`.
    pub object: String,
    /// Always true.
    pub deleted: bool,
}

impl Response {
    /// What is known of a response when it is asked for. `id` is whole, `resp_…`; `created_at` in seconds since 1970.
    #[must_use]
    pub fn new(request: &CreateResponse, id: impl Into<String>, created_at: i64) -> Self {
        Self {
            id: id.into(),
            object: response_object(),
            created_at,
            completed_at: None,
            status: ResponseStatus::InProgress,
            background: request.is_background(),
            error: None,
            incomplete_details: None,
            instructions: request.instructions.clone(),
            max_output_tokens: request.max_output_tokens,
            model: request.model.clone(),
            output: Vec::new(),
            parallel_tool_calls: request.parallel_tool_calls.unwrap_or(true),
            previous_response_id: request.previous_response_id.clone(),
            reasoning: request.reasoning.clone().unwrap_or_default(),
            store: request.is_stored(),
            temperature: request.temperature,
            text: request.text.clone().unwrap_or_default(),
            tool_choice: request.tool_choice.clone().unwrap_or(ResponseToolChoice::Mode(ToolMode::Auto)),
            tools: request.tools.clone().unwrap_or_default(),
            top_p: request.top_p,
            top_logprobs: request.top_logprobs.unwrap_or(0),
            truncation: "disabled".to_owned(),
            usage: None,
            metadata: request.metadata.clone().unwrap_or_default(),
            service_tier: "default".to_owned(),
            user: request.user.clone(),
            provider: None,
        }
    }
}

impl ResponseStatus {
    /// Whether nothing will change any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::InProgress)
    }
}

impl From<&ApiError> for ResponseError {
    fn from(error: &ApiError) -> Self {
        let code = match error.kind() {
            ErrorKind::RateLimited | ErrorKind::Overloaded => "rate_limit_exceeded",
            kind if kind.status().is_client_error() => "invalid_prompt",
            _ => "server_error",
        };
        Self { code: code.to_owned(), message: error.message().to_owned() }
    }
}

impl DeletedResponse {
    /// Says that this response is gone.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), object: response_object(), deleted: true }
    }
}

fn response_object() -> String {
    "response".to_owned()
}
