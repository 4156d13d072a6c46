//! `/v1/usage`, `/v1/ledger/…`: what was spent by day, and what proves it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What was charged to the account on one day, with one key, for one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UsageRow {
    /// The day in UTC: `2026-11-24`.
    pub day: String,
    /// The key that was shown; null for a token of an identity provider.
    pub key: Option<String>,
    /// The model.
    pub model: String,
    /// Requests, those that cost nothing among them.
    pub requests: u64,
    /// Prompt tokens billed.
    pub prompt_tokens: u64,
    /// Of those, tokens that a node had cached.
    pub cached_tokens: u64,
    /// Generated tokens billed.
    pub completion_tokens: u64,
    /// What it cost, in US dollars.
    pub cost: f64,
    /// The same, exactly: a billion of these are a dollar.
    pub cost_nano_usd: i64,
}

/// How far the ledger's log had come, signed by its owner with Ed25519. Whoever keeps one can later show that nothing before it
/// was rewritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checkpoint {
    /// How many transfers the log had.
    pub seq: i64,
    /// The hash of the newest of them, chained to all before: SHA-256 in hexadecimal.
    pub hash: String,
    /// The root of the Merkle tree (RFC 6962) over the hashes of all of them, in hexadecimal.
    pub root: String,
    /// When it was signed: milliseconds since 1970-01-01 UTC.
    pub at: i64,
    /// The public key that signed it, in hexadecimal.
    pub key: String,
    /// The signature, in hexadecimal.
    pub signature: String,
}

/// The proof that one charge is in the ledger's log. `peerway ledger check-proof` checks it without asking anybody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LedgerProof {
    /// Which form of proof this is: `peerway-ledger-proof-1`.
    pub format: String,
    /// The transfer with its entries and its charge: every field that its hash is made of.
    pub transfer: serde_json::Value,
    /// The hashes of its siblings in the Merkle tree, nearest first, in hexadecimal.
    pub path: Vec<String>,
    /// The checkpoint that it leads to.
    pub checkpoint: Checkpoint,
}
