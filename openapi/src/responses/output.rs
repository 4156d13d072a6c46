//! What a response consists of, and what it consumed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::part::{ReasoningText, SummaryText};
use super::response::ItemStatus;
use crate::chat::{Role, TokenLogprob, TopLogprob};
use crate::usage::{CostDetails, Usage};

/// What is said for a token so unlikely that its logarithm has no number.
const UNLIKELY: f32 = -9999.0;

/// One item of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OutputItem {
    /// What the model says.
    Message {
        /// `msg_…`.
        id: String,
        /// How far it came.
        status: ItemStatus,
        /// Always `assistant`.
        role: Role,
        /// What is said.
        content: Vec<OutputPart>,
    },
    /// A function that it calls.
    FunctionCall {
        /// `fc_…`.
        id: String,
        /// Names the call in the item that answers it.
        call_id: String,
        /// The function's name.
        name: String,
        /// The arguments: JSON as a string, as the model wrote it.
        arguments: String,
        /// How far it came.
        status: ItemStatus,
    },
    /// The thoughts of a model that shows them.
    Reasoning {
        /// `rs_…`.
        id: String,
        /// Always empty: thoughts are shown as they are.
        summary: Vec<SummaryText>,
        /// The thoughts.
        content: Vec<ReasoningText>,
        /// How far they came.
        status: ItemStatus,
    },
}

/// One part of what the model says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OutputPart {
    /// Text.
    OutputText {
        /// The text itself.
        text: String,
        /// Always empty: nothing here cites.
        #[serde(default)]
        #[schema(value_type = Vec<Object>)]
        annotations: Vec<serde_json::Value>,
        /// Log probabilities, where the caller asked for them. Empty otherwise.
        #[serde(default)]
        logprobs: Vec<OutputLogprob>,
    },
    /// Why it refused.
    Refusal {
        /// The text itself.
        refusal: String,
    },
}

/// A token and how likely it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OutputLogprob {
    /// Its text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The likeliest tokens at this place.
    pub top_logprobs: Vec<OutputTopLogprob>,
}

/// A token that could have stood here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OutputTopLogprob {
    /// Its text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What a response consumed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResponseUsage {
    /// Tokens of the rendered conversation.
    pub input_tokens: u64,
    /// Of the input tokens.
    pub input_tokens_details: InputTokensDetails,
    /// Tokens generated.
    pub output_tokens: u64,
    /// Of the output tokens.
    pub output_tokens_details: OutputTokensDetails,
    /// Both together.
    pub total_tokens: u64,
    /// What the caller paid, in USD. An extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// What the cost is made of. An extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_details: Option<CostDetails>,
}

/// Of the input tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InputTokensDetails {
    /// Those that the node had in its prefix cache.
    pub cached_tokens: u64,
    /// Those paid for being cached: none, which costs nothing here.
    #[serde(default)]
    pub cache_write_tokens: u64,
}

/// Of the output tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutputTokensDetails {
    /// Those of thoughts. 0: nodes do not count them apart.
    pub reasoning_tokens: u64,
}

impl OutputItem {
    /// The item's id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Message { id, .. } | Self::FunctionCall { id, .. } | Self::Reasoning { id, .. } => id,
        }
    }

    /// How far it came.
    #[must_use]
    pub fn status(&self) -> ItemStatus {
        match self {
            Self::Message { status, .. } | Self::FunctionCall { status, .. } | Self::Reasoning { status, .. } => {
                *status
            }
        }
    }

    pub(super) fn set_status(&mut self, now: ItemStatus) {
        match self {
            Self::Message { status, .. } | Self::FunctionCall { status, .. } | Self::Reasoning { status, .. } => {
                *status = now;
            }
        }
    }
}

impl OutputPart {
    /// Text without log probabilities.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::OutputText { text: text.into(), annotations: Vec::new(), logprobs: Vec::new() }
    }
}

impl From<TokenLogprob> for OutputLogprob {
    fn from(token: TokenLogprob) -> Self {
        Self {
            logprob: finite(token.logprob),
            bytes: token.bytes.unwrap_or_else(|| token.token.clone().into_bytes()),
            token: token.token,
            top_logprobs: token.top_logprobs.into_iter().map(OutputTopLogprob::from).collect(),
        }
    }
}

impl From<TopLogprob> for OutputTopLogprob {
    fn from(top: TopLogprob) -> Self {
        let bytes = top.bytes.unwrap_or_else(|| top.token.clone().into_bytes());
        Self { token: top.token, logprob: finite(top.logprob), bytes }
    }
}

impl From<Usage> for ResponseUsage {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.prompt_tokens,
            input_tokens_details: InputTokensDetails { cached_tokens: usage.cached_tokens(), cache_write_tokens: 0 },
            output_tokens: usage.completion_tokens,
            output_tokens_details: OutputTokensDetails::default(),
            total_tokens: usage.total_tokens,
            cost: usage.cost,
            cost_details: usage.cost_details,
        }
    }
}

/// JSON has no infinity: serde_json would write null, which clients do not read as a number.
fn finite(logprob: f32) -> f32 {
    if logprob.is_finite() { logprob } else { UNLIKELY }
}
