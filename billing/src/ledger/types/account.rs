//! Accounts, what is on them, and how money comes onto them.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{AccountId, Reference};
use crate::money::Nanos;
use crate::words::words;

/// Whose account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// Buys credit and spends it. Below zero only by a dispute, and frozen then.
    Customer,
    /// Runs nodes and earns.
    Operator,
    /// The platform's own: fees, grants, and what lies between a payment and its customer.
    Platform,
}
words!(AccountKind { Customer = "customer", Operator = "operator", Platform = "platform" });

/// What is on an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balance {
    /// The sum of all entries.
    pub posted: Nanos,
    /// Set aside by open holds that have not expired.
    pub held: Nanos,
    /// `posted - held`, or nothing where that is below zero: what a new hold can take.
    pub available: Nanos,
}

/// An account as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Whose it is.
    pub kind: AccountKind,
    /// What its owner calls it.
    pub name: String,
    /// Whether it may not spend at the moment: somebody froze it, or a payment onto it is disputed.
    pub frozen: bool,
    /// How many of its payments are disputed.
    #[serde(default)]
    pub disputes: u32,
    /// When it was opened.
    pub created_at: Timestamp,
    /// What is on it.
    pub balance: Balance,
}

/// Money onto a customer's account, out of `platform:grants`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// The customer.
    pub account: AccountId,
    /// How much; more than nothing.
    pub amount: Nanos,
    /// What the payment *is*. The same reference is credited once, whoever tells of it and how often.
    pub reference: Reference,
    /// Why, for people; at most 1024 bytes.
    pub memo: String,
}

/// A credit that is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credited {
    /// The account after it.
    pub account: Account,
    /// Its place in the log.
    pub seq: i64,
    /// Whether it was there before, and this call changed nothing.
    pub repeated: bool,
}

/// The newest link of the hash chain. Who publishes it can later prove that nothing before it was rewritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of transfers; 0 for an empty ledger.
    pub seq: i64,
    /// SHA-256 in lower-case hex; 64 zeros for an empty ledger.
    pub hash: String,
}
