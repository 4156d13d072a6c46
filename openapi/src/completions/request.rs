//! The text completion request.
//!
//! Parsed once, into typed fields; those that are not listed here, `user` among them, are accepted and dropped, as in
//! a chat request. How to sample is the same for both, so [`CompletionRequest::settings`] says it in the words of a
//! chat request, and whoever computes an answer reads it there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Prompts;
use crate::chat::{ChatRequest, ResponseFormat, Stop, StreamOptions};
use crate::present::Present;
use crate::relay::ForNode;
use crate::routing::ProviderPreferences;

/// Tokens generated where the caller says nothing, as OpenAI documents.
pub const DEFAULT_MAX_TOKENS: u32 = 16;

/// `POST /v1/completions`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompletionRequest {
    /// The catalog's id of a model. With the suffix `:floor` strictly the cheapest node serves, with `:nitro` the fastest.
    pub model: String,
    /// What to go on from: 1 to 128 prompts.
    pub prompt: Prompts,
    /// Whether the answer comes as server-sent events. None: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// What the stream contains besides the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    /// The most tokens to generate for each answer. None: 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// How many answers to each prompt; prompts times answers are at most 128. None: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// How many answers to choose the best `n` from. Only as many as `n`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_of: Option<u32>,
    /// Whether the answer begins with the prompt. None: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo: Option<bool>,
    /// How many likely tokens to return at each place, 0 to 5. None: no log probabilities at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u32>,
    /// Texts at which the answer ends; they are not part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
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
    /// The shape that the answer must have. An extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// Wishes about the nodes that serve. None: the cheapest healthy one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderPreferences>,
    /// Models to fall back on, in this order, where no node serves `model`, or all that were tried fail before the answer
    /// begins. The answer's `model` tells which served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Documented by OpenAI and refused here, because leaving it out would change the answer: the text that comes after
    /// the answer.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub suffix: Option<Present>,
    /// What a gateway adds for a node. Refused from anybody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub peerway: Option<ForNode>,
}

impl CompletionRequest {
    /// A request to go on from these prompts, with nothing else said.
    #[must_use]
    pub fn new(model: impl Into<String>, prompt: Prompts) -> Self {
        Self { model: model.into(), prompt, ..Self::default() }
    }

    /// The most tokens to generate for each answer.
    #[must_use]
    pub fn max_generated(&self) -> u32 {
        self.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS)
    }

    /// Answers asked for to each prompt.
    #[must_use]
    pub fn answers_each(&self) -> u32 {
        self.n.unwrap_or(1)
    }

    /// Answers asked for to all prompts together.
    #[must_use]
    pub fn choices(&self) -> u32 {
        let prompts = u32::try_from(self.prompt.0.len()).unwrap_or(u32::MAX);
        prompts.saturating_mul(self.answers_each())
    }

    /// Whether the answer is to be streamed.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.stream == Some(true)
    }

    /// Whether the answer begins with the prompt.
    #[must_use]
    pub fn is_echo(&self) -> bool {
        self.echo == Some(true)
    }

    /// Whether the stream ends with a usage chunk.
    #[must_use]
    pub fn wants_usage_chunk(&self) -> bool {
        self.stream_options.is_some_and(|options| options.include_usage == Some(true))
    }

    /// All but the prompts, in the words of a chat request: one without messages, whose `n` is for each prompt.
    #[must_use]
    pub fn settings(&self) -> ChatRequest {
        ChatRequest {
            model: self.model.clone(),
            stream: self.stream,
            stream_options: self.stream_options,
            max_tokens: Some(self.max_generated()),
            n: self.n,
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            logit_bias: self.logit_bias.clone(),
            seed: self.seed,
            stop: self.stop.clone(),
            logprobs: self.logprobs.map(|_| true),
            top_logprobs: self.logprobs,
            response_format: self.response_format.clone(),
            peerway: self.peerway.clone(),
            ..ChatRequest::default()
        }
    }
}
