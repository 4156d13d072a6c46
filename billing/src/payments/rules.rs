//! What an operator decides about payments.

use peerway_billing_stripe::Cents;
use serde::{Deserialize, Serialize};

/// What is done about an early fraud warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningRule {
    /// The unused credit goes back to the card at once, which often spares the dispute, and the account is frozen.
    #[default]
    Refund,
    /// The account is frozen until a person has looked.
    Freeze,
}

/// What an operator decides about payments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRules {
    /// The least that is bought at a time. Card fees eat what is smaller.
    pub least: Cents,
    /// The most that is bought at a time.
    pub most: Cents,
    /// What a new account may pay in a day; see `trust` for how it grows.
    pub new_account_daily: Cents,
    /// From so much on the payer's bank is asked (3-D Secure).
    pub ask_bank_from: Cents,
    /// From so many points a payment waits for a person.
    pub review_from: u32,
    /// Whether Stripe Tax adds taxes.
    pub tax: bool,
    /// What is done about an early fraud warning.
    pub warning: WarningRule,
}

impl Default for PaymentRules {
    fn default() -> Self {
        let cents = |cents| Cents::new(cents).unwrap_or(Cents::ZERO);
        Self {
            least: cents(500),
            most: cents(1_000_000),
            new_account_daily: cents(20_000),
            ask_bank_from: cents(10_000),
            review_from: 60,
            tax: true,
            warning: WarningRule::default(),
        }
    }
}
