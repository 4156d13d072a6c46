//! What requests cost.

use serde::{Deserialize, Serialize};

/// What one request cost, to whom, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeRow {
    /// The request; each is charged once.
    pub request_id: String,
    /// The transfer that moved the money.
    pub transfer: i64,
    /// The hold that it was to be paid from.
    pub hold: String,
    /// Whether that hold had ended.
    pub late: i64,
    /// Who paid.
    pub account: String,
    /// The key that was shown.
    pub key_id: Option<String>,
    /// The node that delivered, or delivered last.
    pub node: String,
    /// Its operator.
    pub operator: String,
    /// The model that was asked.
    pub model: String,
    /// Price of a million tokens of the prompt.
    pub price_input: i64,
    /// The same where the node had them cached.
    pub price_cached: i64,
    /// Price of a million tokens of the answer.
    pub price_output: i64,
    /// The platform's fee in hundredths of a percent.
    pub fee_bps: i64,
    /// Tokens of the prompt.
    pub prompt: i64,
    /// How many of them were cached.
    pub cached: i64,
    /// Tokens of the answer.
    pub completion: i64,
    /// The node's count of the same.
    pub claimed_prompt: i64,
    /// The node's count of the same.
    pub claimed_cached: i64,
    /// The node's count of the same.
    pub claimed_completion: i64,
    /// What was paid.
    pub total: i64,
    /// What of it the operators earned.
    pub earned: i64,
    /// What of it is the platform's.
    pub fee: i64,
    /// What was due and not paid.
    pub shortfall: i64,
    /// How the answer ended.
    pub outcome: String,
    /// When it was charged.
    pub created_at: i64,
    /// The minted token that was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
}

/// One node's part of a charge, where several delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRow {
    /// The charge's transfer.
    pub transfer: i64,
    /// The part's place, in the order of delivery, from 0.
    pub part: i64,
    /// The node.
    pub node: String,
    /// Its operator.
    pub operator: String,
    /// As in [`ChargeRow`].
    pub price_input: i64,
    /// As in [`ChargeRow`].
    pub price_cached: i64,
    /// As in [`ChargeRow`].
    pub price_output: i64,
    /// As in [`ChargeRow`].
    pub prompt: i64,
    /// As in [`ChargeRow`].
    pub cached: i64,
    /// As in [`ChargeRow`].
    pub completion: i64,
    /// As in [`ChargeRow`].
    pub claimed_prompt: i64,
    /// As in [`ChargeRow`].
    pub claimed_cached: i64,
    /// As in [`ChargeRow`].
    pub claimed_completion: i64,
    /// What its operator earned of it.
    pub earned: i64,
}
