//! `/v1/credits`, `/v1/key`, `/v1/generation`: what OpenRouter's clients ask about money, in the shapes that they read.
//!
//! Amounts are US dollars as numbers, because those clients compute with them. The ledger's own amounts are exact; these
//! are what a 64-bit float makes of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `{"data": …}`, around each of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Data<T> {
    /// The answer.
    pub data: T,
}

/// What came onto an account, what was spent, and how long the rest will last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Credits {
    /// All credit ever given and bought, less what was refunded or is disputed.
    pub total_credits: f64,
    /// All charges ever paid.
    pub total_usage: f64,
    /// Spent a day, over the last seven whole days and today; null while that says nothing.
    pub spend_rate: Option<f64>,
    /// When the credit will be used up at that rate, as RFC 3339; null while nobody can say.
    pub runs_out_at: Option<String>,
}

/// What the key that asks may do, and has done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeyInfo {
    /// What its owner calls it.
    pub label: String,
    /// What it may spend; null for no limit. Of several budgets, the one with the least left.
    pub limit: Option<f64>,
    /// What is left of that.
    pub limit_remaining: Option<f64>,
    /// When it begins anew: `daily`, `weekly`, `monthly`; null for never.
    pub limit_reset: Option<String>,
    /// Spent, ever.
    pub usage: f64,
    /// Spent since midnight UTC.
    pub usage_daily: f64,
    /// Spent since Monday.
    pub usage_weekly: f64,
    /// Spent since the 1st.
    pub usage_monthly: f64,
    /// Whether the account never had credit.
    pub is_free_tier: bool,
    /// How fast it may ask.
    pub rate_limit: RateLimit,
}

/// How many requests in which time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RateLimit {
    /// Requests; -1 for no limit.
    pub requests: i64,
    /// In this time.
    pub interval: String,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Generation {
    /// The request's id.
    pub id: String,
    /// What was paid.
    pub total_cost: f64,
    /// The same.
    pub usage: f64,
    /// What the node got of it.
    pub upstream_inference_cost: f64,
    /// What the gateway kept of it.
    pub fee: f64,
    /// What the tokens cost beyond that, and nobody paid: the credit that was set aside did not reach.
    pub shortfall: f64,
    /// The key that was shown; null for a token of an identity provider.
    pub key: Option<String>,
    /// Its place in the ledger, whose proof `/v1/ledger/proof` gives.
    pub ledger_seq: i64,
    /// When it was charged, as RFC 3339.
    pub created_at: String,
    /// The model.
    pub model: String,
    /// The node that served.
    pub provider_name: String,
    /// Whether the caller left before the end.
    pub cancelled: bool,
    /// How the answer ended, as far as the ledger tells: `stop` for one that is whole, `length` for one that was cut
    /// where the credit ended, `error` for one that broke off. Null where the caller left, or nothing came.
    pub finish_reason: Option<String>,
    /// Prompt tokens billed.
    pub tokens_prompt: u64,
    /// Of those, tokens that the node had cached and billed as such.
    pub tokens_cached: u64,
    /// Generated tokens billed.
    pub tokens_completion: u64,
    /// Prompt tokens as the node claimed them.
    pub native_tokens_prompt: u64,
    /// Generated tokens as the node claimed them.
    pub native_tokens_completion: u64,
    /// Prompt tokens that the node had cached.
    pub native_tokens_cached: u64,
    /// What each node delivered, in their order, where one went on with what another had begun. `provider_name` is then the
    /// last of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<GenerationPart>,
}

/// What one of several nodes delivered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GenerationPart {
    /// The node.
    pub provider_name: String,
    /// What it got.
    pub upstream_inference_cost: f64,
    /// Prompt tokens billed: all of them in the last part.
    pub tokens_prompt: u64,
    /// Generated tokens billed.
    pub tokens_completion: u64,
}
