//! Sums of what was spent: over an account's or a key's whole history, and by day.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{AccountId, KeyId};
use crate::money::Nanos;

/// What came onto an account and what was spent from it. The difference is its posted balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// All credit ever given and all payments, less what was refunded or is disputed.
    pub credited: Nanos,
    /// All charges ever paid.
    pub used: Nanos,
}

/// What one chain of keys or one minted token spent, ever and in the UTC windows of the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeyUsage {
    /// Ever.
    pub total: Nanos,
    /// Since midnight.
    pub day: Nanos,
    /// Since Monday.
    pub week: Nanos,
    /// Since the 1st.
    pub month: Nanos,
    /// Requests that were charged, those that cost nothing among them.
    pub requests: u64,
}

/// What was charged to an account on one day, with one key, for one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayUsage {
    /// The midnight UTC at which the day began.
    pub day: Timestamp,
    /// The key that was shown, directly or by a token minted under it; `None` for a token of an identity provider.
    pub key: Option<KeyId>,
    /// The model.
    pub model: String,
    /// Requests, those that cost nothing among them.
    pub requests: u64,
    /// Tokens billed, of prompts.
    pub prompt: u64,
    /// Of those, tokens that a node had cached.
    pub cached: u64,
    /// Tokens billed, of answers.
    pub completion: u64,
    /// What it cost.
    pub spent: Nanos,
}

/// Which days, keys and models of an account are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayQuestion {
    /// The account.
    pub account: AccountId,
    /// The first day: the one that this moment lies in.
    pub from: Timestamp,
    /// The last day: the one that this moment lies in.
    pub to: Timestamp,
    /// One key alone; `None` for all, those without a key among them.
    pub key: Option<KeyId>,
    /// One model alone; `None` for all.
    pub model: Option<String>,
    /// The row after which to go on, by its day, key and model; `None` for the first.
    pub after: Option<(Timestamp, Option<KeyId>, String)>,
    /// Rows, 10 000 at most.
    pub limit: u32,
}

/// How fast an account spends, and how long that can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// Spent a day, over the days that were looked at.
    pub per_day: Nanos,
    /// When what is on the account will be used up at that rate; `None` where that is not within a thousand years.
    pub runs_out_at: Option<Timestamp>,
}
