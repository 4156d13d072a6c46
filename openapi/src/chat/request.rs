//! The chat completion request.
//!
//! Parsed once, into typed fields. Fields that are not listed here are accepted and dropped, so that none of them can
//! reach an engine: later versions of mistral.rs's own server take fields that run shells and code.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Message, ResponseFormat, Stop, Tool, ToolChoice};
use crate::present::Present;
use crate::relay::ForNode;
use crate::routing::ProviderPreferences;

/// `POST /v1/chat/completions`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatRequest {
    /// The catalog's id of a model. With the suffix `:floor` strictly the cheapest node serves, with `:nitro` the fastest.
    pub model: String,
    /// The conversation so far, at least one message.
    pub messages: Vec<Message>,
    /// Whether the answer comes as server-sent events. None: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// What the stream contains besides the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    /// The most tokens to generate. The older name of `max_completion_tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// The most tokens to generate. None: until the model stops, its context is full or the credit is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u32>,
    /// How many answers, 1 to 128; the prompt is paid once. None: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// 0 to 2; 0 always takes the likeliest token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling: the share of probability to choose from, above 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Choose from the k likeliest tokens. An extension that mistral.rs, vLLM and OpenRouter share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Drop tokens less likely than this share of the likeliest, 0 to 1. An extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f64>,
    /// Divides the logits of tokens already seen; 1 is none, above 0 to 2. An extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f32>,
    /// -2 to 2: lowers tokens by how often they occurred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f32>,
    /// -2 to 2: lowers tokens that occurred at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f32>,
    /// Token id (as a string) to a bias of -100 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logit_bias: Option<BTreeMap<String, f32>>,
    /// The same seed and request give the same answer from the same node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Texts at which the answer ends; they are not part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// Whether to return the log probability of each token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<bool>,
    /// How many likely tokens to return at each place, 0 to 20. Needs `logprobs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<u32>,
    /// Tools that the model may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// Whether and what it must call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether the model may call several tools at once. None: it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// The shape that the answer must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// How long a model that thinks before it answers may think. None: as the model does by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
    /// How wordy the answer is. Only `medium`, which is what every model does by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verbosity: Option<Verbosity>,
    /// What the answer consists of. Only `["text"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modalities: Option<Vec<String>>,
    /// Wishes about the nodes that serve. None: the cheapest healthy one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderPreferences>,
    /// Models to fall back on, in this order, where no node serves `model`, or all that were tried fail before the answer
    /// begins. The answer's `model` tells which served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Documented by OpenAI and refused here, because leaving it out would change the answer: spoken answers.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub audio: Option<Present>,
    /// As `audio`: the older form of `tools`.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub functions: Option<Present>,
    /// As `audio`: the older form of `tool_choice`.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub function_call: Option<Present>,
    /// As `audio`: searching the web.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub web_search_options: Option<Present>,
    /// What a gateway adds for a node. Refused from anybody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub peerway: Option<ForNode>,
}

/// How long a model that thinks before it answers may think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReasoningEffort {
    /// Not at all.
    None,
    /// As little as possible.
    Minimal,
    /// A little.
    Low,
    /// As usual.
    Medium,
    /// A lot.
    High,
    /// As much as possible.
    Xhigh,
}

/// How wordy an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verbosity {
    /// Terse.
    Low,
    /// As usual.
    Medium,
    /// Expansive.
    High,
}

/// What a stream contains besides the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamOptions {
    /// Whether a last chunk with `usage` and no choices ends the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_usage: Option<bool>,
}

/// The caller's limit on generated tokens, and the field it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxTokens {
    /// The limit.
    pub tokens: u32,
    /// `max_completion_tokens` or `max_tokens`.
    pub field: &'static str,
}

impl ChatRequest {
    /// A request for one answer to these messages, with nothing else said.
    #[must_use]
    pub fn new(model: impl Into<String>, messages: Vec<Message>) -> Self {
        Self { model: model.into(), messages, ..Self::default() }
    }

    /// Answers asked for.
    #[must_use]
    pub fn choices(&self) -> u32 {
        self.n.unwrap_or(1)
    }

    /// The caller's limit on generated tokens, None where it set none. The newer field wins.
    #[must_use]
    pub fn max_generated(&self) -> Option<MaxTokens> {
        let newer = self.max_completion_tokens.map(|tokens| MaxTokens { tokens, field: "max_completion_tokens" });
        newer.or_else(|| self.max_tokens.map(|tokens| MaxTokens { tokens, field: "max_tokens" }))
    }

    /// Whether the answer is to be streamed.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.stream == Some(true)
    }

    /// Whether the stream ends with a usage chunk.
    #[must_use]
    pub fn wants_usage_chunk(&self) -> bool {
        self.stream_options.is_some_and(|options| options.include_usage == Some(true))
    }
}
