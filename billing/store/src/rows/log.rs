//! The log: transfers, each chained by hash to the one before, and their entries.

use serde::{Deserialize, Serialize};

/// A transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferRow {
    /// Its place in the log; the first is 1, and none is left out.
    pub seq: i64,
    /// What kind of thing happened.
    pub kind: String,
    /// Which one of that kind: the log takes each once.
    pub reference: String,
    /// What else is to be known of it.
    pub memo: String,
    /// When it happened.
    pub created_at: i64,
    /// The hash of the transfer before.
    pub prev_hash: String,
    /// The hash of this one and all that belongs to it.
    pub hash: String,
    /// Whose change it is; `None` where nobody asked for it, as for a charge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_account: Option<String>,
    /// Who did what to what, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<String>,
}

/// One account's part of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRow {
    /// The transfer.
    pub transfer: i64,
    /// The entry's place in it, from 0.
    pub line: i64,
    /// The account.
    pub account: String,
    /// What it gets, or gives where it is less than nothing.
    pub amount: i64,
}

/// A link of the hash chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The transfer's place.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
}

/// A credit that is in the log: what a repeated one is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastCredit {
    /// Its reference.
    pub reference: String,
    /// What was said of it.
    pub memo: String,
    /// Its transfer.
    pub seq: i64,
    /// Who got it.
    pub account: String,
    /// How much.
    pub amount: i64,
}

/// A transfer of two lines that is in the log: what a repeated one is compared with, and what an end ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastMove {
    /// A payment, a refund, a dispute, or the end of one.
    pub kind: String,
    /// Its reference.
    pub reference: String,
    /// What was said of it.
    pub memo: String,
    /// Its transfer.
    pub seq: i64,
    /// The account that the money left.
    pub payer: String,
    /// The account that it came to.
    pub payee: String,
    /// How much.
    pub amount: i64,
}
