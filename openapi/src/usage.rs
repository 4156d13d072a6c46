//! What a request consumed, as callers are told.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Tokens, and their cost once the gateway has priced them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Tokens of the rendered conversation.
    pub prompt_tokens: u64,
    /// Tokens generated.
    pub completion_tokens: u64,
    /// Both together.
    pub total_tokens: u64,
    /// Of the prompt tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens_details: Option<PromptTokensDetails>,
    /// What the caller paid, in USD. None between node and gateway: a node never learns about money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// What the cost is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_details: Option<CostDetails>,
}

/// Of the prompt tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PromptTokensDetails {
    /// Those that the node had in its prefix cache; they have a price of their own.
    #[serde(default)]
    pub cached_tokens: u64,
}

/// The parts of a cost, in USD.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CostDetails {
    /// What the node's operator is paid.
    pub upstream_inference_cost: f64,
    /// What the gateway keeps.
    pub gateway_fee: f64,
}

impl Usage {
    /// Usage without cost. `cached` is bounded by `prompt`.
    #[must_use]
    pub fn of_tokens(prompt: u64, cached: u64, completion: u64) -> Self {
        Self {
            prompt_tokens: prompt,
            completion_tokens: completion,
            total_tokens: prompt.saturating_add(completion),
            prompt_tokens_details: Some(PromptTokensDetails { cached_tokens: cached.min(prompt) }),
            cost: None,
            cost_details: None,
        }
    }

    /// Prompt tokens that the node says it had cached, never more than the prompt.
    #[must_use]
    pub fn cached_tokens(&self) -> u64 {
        self.prompt_tokens_details.map_or(0, |details| details.cached_tokens).min(self.prompt_tokens)
    }
}
