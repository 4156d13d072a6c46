//! The Merkle tree over the log: asked beside the writer.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::rows::CheckpointRow;

/// Questions that change nothing.
#[async_trait]
pub trait Tree: Debug + Send + Sync {
    /// The newest checkpoint.
    async fn newest_checkpoint(&self) -> Result<Option<CheckpointRow>, StoreError>;

    /// How many nodes of a level are kept.
    async fn kept_nodes(&self, level: i64) -> Result<i64, StoreError>;

    /// The hashes of a level's nodes from place `from` up to and without `to`, in order; of level 0 those of the transfers
    /// themselves, the first of which is at place 0.
    async fn node_hashes(&self, level: i64, from: i64, to: i64) -> Result<Vec<String>, StoreError>;
}
