//! Sums over an account's or a key's whole history.

use serde::{Deserialize, Serialize};

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
