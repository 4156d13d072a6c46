//! The log signed as far as it has come, and proofs that something is in it.
//!
//! The tree over the log costs the writer of transfers nothing: whoever signs reads what is new, keeps the full subtrees
//! of every eighth level, and makes the root of those and of at most 255 transfers. A proof is made of them too.
//! Rejected: a frontier that each batch carries on, which every batch would have to load and store.

use std::ops::Range;

use super::api::Ledger;
use super::command::Command;
use super::export;
use super::proof::merkle::{self, Hash, TILE};
use super::proof::{Checkpoint, CheckpointKey, Proof, parse};
use super::rows::{CheckpointRow, NodeRow, corrupt};
use crate::clock::Timestamp;
use crate::error::LedgerError;
use crate::id::RequestId;

/// Subtrees that are made and kept at a time: bounds the memory, and the time for which the writer is busy with them.
const STRIDE: u64 = 64;

/// The highest level that is kept: no log has 2⁵⁶ transfers.
const HIGHEST: u32 = 48;

impl Ledger {
    /// Signs how far the log has come, if it has since the last time; answers the newest checkpoint, `None` only for a log
    /// without any transfer. The first one over a long log takes a while.
    ///
    /// # Errors
    /// The database's failure, or a log that is damaged.
    pub async fn checkpoint(&self, key: &CheckpointKey) -> Result<Option<Checkpoint>, LedgerError> {
        let head = self.head().await?;
        let newest = self.newest_checkpoint().await?;
        if newest.as_ref().is_some_and(|newest| newest.seq >= head.seq) || head.seq == 0 {
            return Ok(newest);
        }
        let size = head.seq.unsigned_abs();
        while let Some(nodes) = self.missing_nodes(size).await? {
            self.ask(|reply| Command::KeepNodes { nodes, reply }).await?;
        }
        let root = self.range_hash(0..size).await?;
        let checkpoint = key.sign(head.seq, &head.hash, &root, self.clock().now());
        self.ask(|reply| Command::KeepCheckpoint { checkpoint, reply }).await?;
        self.newest_checkpoint().await
    }

    /// The newest checkpoint; `None` before the first.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn newest_checkpoint(&self) -> Result<Option<Checkpoint>, LedgerError> {
        Ok(self.store().newest_checkpoint().await?.map(checkpoint_of))
    }

    /// The proof that the charge of a request is in the log, under the newest checkpoint; `None` while that is older than
    /// the charge.
    ///
    /// # Errors
    /// No such charge, the database's failure, or a log that is damaged.
    pub async fn proof(&self, request: &RequestId) -> Result<Option<Proof>, LedgerError> {
        let seq = self.charge(request).await?.seq;
        let checkpoint = self.newest_checkpoint().await?.filter(|checkpoint| checkpoint.seq >= seq);
        let Some(checkpoint) = checkpoint else { return Ok(None) };
        let posting = export::posting(&mut *self.store().snapshot().await?, seq).await?;
        let posting = posting.ok_or_else(|| corrupt("transfer", &seq.to_string()))?;
        let mut path = Vec::new();
        for range in merkle::siblings((seq - 1).unsigned_abs(), checkpoint.seq.unsigned_abs()) {
            path.push(self.range_hash(range).await?);
        }
        Ok(Some(Proof::new(posting, &path, checkpoint)))
    }

    /// The next full subtrees under the first `size` transfers that are not kept yet; `None` once all are.
    async fn missing_nodes(&self, size: u64) -> Result<Option<Vec<NodeRow>>, LedgerError> {
        for level in (TILE..=HIGHEST).step_by(TILE as usize) {
            let kept = self.store().kept_nodes(level.into()).await?.unsigned_abs();
            let full = size >> level;
            if kept >= full {
                continue;
            }
            let mut nodes = Vec::new();
            for place in kept..full.min(kept + STRIDE) {
                // Of what is kept one level below: this subtree itself is not.
                let (below, first) = (level - TILE, place << TILE);
                let hashes = self.hashes(below, first..first + (1 << TILE)).await?;
                let hash = merkle::fold(hashes).ok_or_else(|| corrupt("subtree", &format!("{level}/{place}")))?;
                nodes.push(NodeRow { level: i64::from(level), place: column(place), hash: hex::encode(hash) });
            }
            return Ok(Some(nodes));
        }
        Ok(None)
    }
}

impl Ledger {
    /// The hash of the leaves of a range, which begins where a subtree of its size does.
    async fn range_hash(&self, range: Range<u64>) -> Result<Hash, LedgerError> {
        let mut parts = Vec::new();
        for subtree in merkle::subtrees(range) {
            let (level, places) = subtree.kept();
            let damaged = || corrupt("subtree", &format!("{}/{}", subtree.level, subtree.place));
            parts.push(merkle::fold(self.hashes(level, places).await?).ok_or_else(damaged)?);
        }
        Ok(merkle::join(&parts))
    }

    /// So many hashes of one level, side by side; of level 0 the leaves. All of them must be there.
    async fn hashes(&self, level: u32, places: Range<u64>) -> Result<Vec<Hash>, LedgerError> {
        let rows = self.store().node_hashes(level.into(), column(places.start), column(places.end)).await?;
        let found = rows.len() as u64;
        let hashes: Option<Vec<Hash>> = rows.iter().map(|hash| parse(hash)).collect();
        let hashes = hashes.filter(|_| found == places.end - places.start);
        let mut hashes =
            hashes.ok_or_else(|| corrupt("stretch of the log", &format!("{places:?} of level {level}")))?;
        if level == 0 {
            hashes.iter_mut().for_each(|hash| *hash = merkle::leaf(hash));
        }
        Ok(hashes)
    }
}

/// A checkpoint as it is kept.
pub(super) fn row_of(checkpoint: Checkpoint) -> CheckpointRow {
    let Checkpoint { seq, hash, root, at, key, signature } = checkpoint;
    CheckpointRow { seq, hash, root, at: at.as_millis(), key, signature }
}

/// A checkpoint as it was signed.
pub(super) fn checkpoint_of(row: CheckpointRow) -> Checkpoint {
    let CheckpointRow { seq, hash, root, at, key, signature } = row;
    Checkpoint { seq, hash, root, at: Timestamp::from_millis(at), key, signature }
}

/// A place as a column: no log comes near the largest number.
fn column(place: u64) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}
