//! The request for a response.
//!
//! Parsed once, into typed fields. What is not listed here is accepted and dropped; what would change the answer if it
//! were dropped is refused by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Input, ResponseTool, ResponseToolChoice, TextOptions};
use crate::chat::ReasoningEffort;
use crate::present::Present;
use crate::routing::ProviderPreferences;

/// `POST /v1/responses`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CreateResponse {
    /// The catalog's id of a model. With the suffix `:floor` strictly the cheapest node serves, with `:nitro` the fastest.
    pub model: String,
    /// What is said now: a text, or a list of items.
    #[serde(default)]
    pub input: Input,
    /// Instructions to the model for this response alone: those of the previous response are not carried on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// A stored response whose conversation goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_response_id: Option<String>,
    /// Whether the answer comes as server-sent events. None: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// Whether the response is kept, to be read and continued later. None: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<bool>,
    /// Whether the answer is made without the caller waiting. None: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<bool>,
    /// The caller's own notes: at most 16, with keys of 64 and values of 512 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// The most tokens to generate, thoughts included. None: until the model stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// 0 to 2; 0 always takes the likeliest token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling: the share of probability to choose from, above 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Choose from the k likeliest tokens. An extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Drop tokens less likely than this share of the likeliest, 0 to 1. An extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f64>,
    /// Divides the logits of tokens already seen; 1 is none, above 0 to 2. An extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f32>,
    /// The same seed and request give the same answer from the same node. An extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// How many likely tokens to return at each place, 0 to 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<u32>,
    /// What to add to the answer: `message.output_text.logprobs`. `reasoning.encrypted_content` is accepted and adds
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include: Option<Vec<String>>,
    /// Functions that the model may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<ResponseTool>>,
    /// Whether and what it must call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ResponseToolChoice>,
    /// Whether the model may call several functions at once. None: it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// The shape and length of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextOptions>,
    /// How the model thinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
    /// What to do with a conversation too long for the model. Only `disabled`: it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncation: Option<String>,
    /// The caller's own name for its user. Told back, and used for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Wishes about the nodes that serve. None: the cheapest healthy one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderPreferences>,
    /// Models to fall back on, in this order, where no node serves `model`, or all that were tried fail before the answer
    /// begins. The answer's `model` tells which served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Documented by OpenAI and refused here, because leaving it out would change the answer: prompts kept by the
    /// server.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub prompt: Option<Present>,
    /// As `prompt`: conversations kept by the server apart from responses.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub conversation: Option<Present>,
    /// As `prompt`: a bound on tools that run on the server.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub max_tool_calls: Option<Present>,
}

/// How the model thinks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reasoning {
    /// How long it may think. None: as it does by itself.
    #[serde(default)]
    pub effort: Option<ReasoningEffort>,
    /// Whether thoughts are summed up. Only `auto`, which makes none: thoughts are shown as they are.
    #[serde(default)]
    pub summary: Option<String>,
}

impl CreateResponse {
    /// Whether the answer is to be streamed.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.stream == Some(true)
    }

    /// Whether the response is kept.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.store != Some(false)
    }

    /// Whether the answer is made without the caller waiting.
    #[must_use]
    pub fn is_background(&self) -> bool {
        self.background == Some(true)
    }

    /// Whether the answer has log probabilities.
    #[must_use]
    pub fn wants_logprobs(&self) -> bool {
        let asks = |include: &Vec<String>| include.iter().any(|what| what == super::validate::INCLUDE_LOGPROBS);
        self.top_logprobs.is_some() || self.include.as_ref().is_some_and(asks)
    }
}
