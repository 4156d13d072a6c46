//! The text completion, whole and in chunks.
//!
//! OpenAI gives both the same `object`; a chunk differs in that its answers need not have ended. `logprobs` and
//! `finish_reason` are null where there are none, because the official schema requires the keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::chat::FinishReason;
use crate::usage::Usage;

/// Why the model stopped, less what text alone cannot do: call tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextFinish {
    /// It was done, or met a stop text.
    Stop,
    /// It reached a limit: the caller's, the model's context, or the credit.
    Length,
    /// Its answer was withheld.
    ContentFilter,
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Completion {
    /// `cmpl-…`.
    pub id: String,
    /// Always `text_completion`.
    #[serde(default = "text_completion")]
    pub object: String,
    /// Seconds since 1970.
    pub created: i64,
    /// The catalog's id of the model that answered.
    pub model: String,
    /// The answers: `n` to the first prompt, then `n` to the second, and so on.
    pub choices: Vec<TextChoice>,
    /// What it consumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The node that served, where the gateway tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TextChoice {
    /// Which answer, from 0: that of the prompt times `n`, and which of its answers.
    pub index: u32,
    /// The text, after the prompt where the caller wanted its echo.
    pub text: String,
    /// Why the model stopped.
    pub finish_reason: TextFinish,
    /// Log probabilities, where the caller asked for them.
    #[serde(default)]
    pub logprobs: Option<CompletionLogprobs>,
    /// The stop text at which it stopped, where it was one of the caller's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
}

/// A piece of a streamed answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompletionChunk {
    /// `cmpl-…`, the same in every chunk.
    pub id: String,
    /// Always `text_completion`.
    #[serde(default = "text_completion")]
    pub object: String,
    /// Seconds since 1970, the same in every chunk.
    pub created: i64,
    /// The catalog's id of the model that answers.
    pub model: String,
    /// The pieces: one, of any of the answers, or none in the usage chunk.
    pub choices: Vec<TextPiece>,
    /// What it consumed; in the last chunk alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The node that serves, where the gateway tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// A piece of one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TextPiece {
    /// Which answer, from 0.
    pub index: u32,
    /// More text.
    #[serde(default)]
    pub text: String,
    /// Why the model stopped; null until it has.
    #[serde(default)]
    pub finish_reason: Option<TextFinish>,
    /// Log probabilities of the new tokens, where the caller asked for them.
    #[serde(default)]
    pub logprobs: Option<CompletionLogprobs>,
    /// With the finish reason: the stop text at which it stopped, where it was one of the caller's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// The token ids behind this piece, from a node to a gateway that asked for them; see [`crate::relay`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub token_ids: Option<Vec<u32>>,
}

/// Log probabilities of an answer's tokens: lists of the same length.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompletionLogprobs {
    /// The tokens' texts.
    pub tokens: Vec<String>,
    /// Natural logarithms of their probabilities. Null for a token that the model did not choose.
    #[serde(default)]
    pub token_logprobs: Vec<Option<f32>>,
    /// The likeliest tokens at each place, and the one chosen, by their text. Null where none were asked for.
    #[serde(default)]
    pub top_logprobs: Option<Vec<Option<BTreeMap<String, f32>>>>,
    /// Characters of the answer's text before each token.
    #[serde(default)]
    pub text_offset: Vec<u32>,
}

impl From<FinishReason> for TextFinish {
    fn from(reason: FinishReason) -> Self {
        match reason {
            FinishReason::Stop | FinishReason::ToolCalls => Self::Stop,
            FinishReason::Length => Self::Length,
            FinishReason::ContentFilter => Self::ContentFilter,
        }
    }
}

impl From<TextFinish> for FinishReason {
    fn from(reason: TextFinish) -> Self {
        match reason {
            TextFinish::Stop => Self::Stop,
            TextFinish::Length => Self::Length,
            TextFinish::ContentFilter => Self::ContentFilter,
        }
    }
}

pub(super) fn text_completion() -> String {
    "text_completion".to_owned()
}
