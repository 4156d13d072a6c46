//! The chat completion, whole and in chunks.
//!
//! Official clients fail on a missing `id`, `object`, `created`, `index` or `role`, and on a `finish_reason` they do not
//! know; these types make them impossible to forget. `logprobs` and `refusal` are null where there are none, because
//! the official schema requires the keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Role, ToolCall, ToolCallDelta};
use crate::usage::Usage;

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It was done, or met a stop text.
    Stop,
    /// It reached a limit: the caller's, the model's context, or the credit.
    Length,
    /// It calls tools.
    ToolCalls,
    /// Its answer was withheld.
    ContentFilter,
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatCompletion {
    /// `chatcmpl-…`.
    pub id: String,
    /// Always `chat.completion`.
    #[serde(default = "completion_object")]
    pub object: String,
    /// Seconds since 1970.
    pub created: i64,
    /// The catalog's id of the model that answered.
    pub model: String,
    /// The answers, as many as were asked for.
    pub choices: Vec<Choice>,
    /// What it consumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The node that served, where the gateway tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Choice {
    /// Which answer, from 0.
    pub index: u32,
    /// What the model said.
    pub message: AssistantMessage,
    /// Why it stopped.
    pub finish_reason: FinishReason,
    /// Log probabilities, where the caller asked for them.
    #[serde(default)]
    pub logprobs: Option<Logprobs>,
    /// The stop text at which it stopped, where it was one of the caller's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
}

/// What the model said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AssistantMessage {
    /// Always `assistant`.
    #[serde(default = "assistant")]
    pub role: Role,
    /// The text. Null where it only calls tools.
    #[serde(default)]
    pub content: Option<String>,
    /// Why it refused; null where it did not.
    #[serde(default)]
    pub refusal: Option<String>,
    /// The thoughts of a model that shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    /// The tools it calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<ToolCall>>,
}

/// A piece of a streamed answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatChunk {
    /// `chatcmpl-…`, the same in every chunk.
    pub id: String,
    /// Always `chat.completion.chunk`.
    #[serde(default = "chunk_object")]
    pub object: String,
    /// Seconds since 1970, the same in every chunk.
    pub created: i64,
    /// The catalog's id of the model that answers.
    pub model: String,
    /// The pieces: one, of any of the answers, or none in the usage chunk.
    pub choices: Vec<ChunkChoice>,
    /// What it consumed; in the last chunk alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The node that serves, where the gateway tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// A piece of one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChunkChoice {
    /// Which answer, from 0.
    pub index: u32,
    /// What is new.
    pub delta: Delta,
    /// Why the model stopped; null until it has.
    #[serde(default)]
    pub finish_reason: Option<FinishReason>,
    /// Log probabilities of the new tokens, where the caller asked for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Logprobs>,
    /// With the finish reason: the stop text at which it stopped, where it was one of the caller's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// The token ids behind this piece, from a node to a gateway that asked for them; see [`crate::relay`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub token_ids: Option<Vec<u32>>,
}

/// What is new in an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Delta {
    /// `assistant`, in the first piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// More text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// More thoughts of a model that shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    /// More of the tools it calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<ToolCallDelta>>,
}

/// Log probabilities of an answer's tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Logprobs {
    /// One entry a token.
    #[serde(default)]
    pub content: Option<Vec<TokenLogprob>>,
    /// Those of a refusal: none.
    #[serde(default)]
    pub refusal: Option<Vec<TokenLogprob>>,
}

/// A token and how likely it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TokenLogprob {
    /// Its text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// Its bytes, where the text alone does not tell.
    #[serde(default)]
    pub bytes: Option<Vec<u8>>,
    /// The likeliest tokens at this place.
    #[serde(default)]
    pub top_logprobs: Vec<TopLogprob>,
}

/// A token that could have stood here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TopLogprob {
    /// Its text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// Its bytes, where the text alone does not tell.
    #[serde(default)]
    pub bytes: Option<Vec<u8>>,
}

impl ChatChunk {
    /// A chunk without choices.
    #[must_use]
    pub fn empty(id: impl Into<String>, created: i64, model: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            object: chunk_object(),
            created,
            model: model.into(),
            choices: Vec::new(),
            usage: None,
            provider: None,
        }
    }

    /// A chunk with one piece of the only answer.
    #[must_use]
    pub fn piece(
        id: impl Into<String>,
        created: i64,
        model: impl Into<String>,
        delta: Delta,
        finish_reason: Option<FinishReason>,
    ) -> Self {
        let choice = ChunkChoice { index: 0, delta, finish_reason, logprobs: None, stop_reason: None, token_ids: None };
        Self { choices: vec![choice], ..Self::empty(id, created, model) }
    }
}

impl Delta {
    /// More text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: Some(text.into()), ..Self::default() }
    }

    /// The first piece, which says who speaks.
    #[must_use]
    pub fn opening() -> Self {
        Self { role: Some(Role::Assistant), content: Some(String::new()), ..Self::default() }
    }
}

pub(super) fn completion_object() -> String {
    "chat.completion".to_owned()
}

fn chunk_object() -> String {
    "chat.completion.chunk".to_owned()
}

fn assistant() -> Role {
    Role::Assistant
}
