//! The Merkle tree over the log, and what was signed of it.

/// The root of a full subtree, of a level that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// A subtree of this level has 2^level leaves.
    pub level: i64,
    /// How many subtrees of this level are to its left.
    pub place: i64,
    /// Its hash.
    pub hash: String,
}

/// How far the log had come, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    /// How many transfers it had.
    pub seq: i64,
    /// The hash of the newest.
    pub hash: String,
    /// The tree's root.
    pub root: String,
    /// When it was signed.
    pub at: i64,
    /// The public key that signed.
    pub key: String,
    /// The signature.
    pub signature: String,
}
