//! The Merkle tree made again from the log, and every checkpoint compared with it.

use std::collections::BTreeMap;

use peerway_billing_store::{Snapshot, StoreError};

use super::{Check, VerifyReport};
use crate::ledger::checkpoints::checkpoint_of;
use crate::ledger::proof::merkle::{self, Frontier, Hash, Subtree, TILE};
use crate::ledger::proof::{Checkpoint, parse};
use crate::ledger::rows::{NodeRow, TransferRow};

/// The tree as far as the log was read, and the checkpoints that lie ahead.
pub(super) struct Tree {
    frontier: Frontier,
    /// Full subtrees of the levels that are kept.
    full: BTreeMap<(i64, i64), Hash>,
    ahead: BTreeMap<i64, Checkpoint>,
    newest: i64,
}

impl Tree {
    pub(super) async fn new(snapshot: &mut dyn Snapshot, report: &mut VerifyReport) -> Result<Self, StoreError> {
        let rows = snapshot.checkpoints().await?;
        let newest = rows.last().map_or(0, |row| row.seq);
        for row in &rows {
            report.checkpoints += 1;
            if !report.checkpoint_keys.contains(&row.key) {
                report.checkpoint_keys.push(row.key.clone());
            }
        }
        let ahead = rows.into_iter().map(|row| (row.seq, checkpoint_of(row))).collect();
        Ok(Self { frontier: Frontier::default(), full: BTreeMap::new(), ahead, newest })
    }

    /// Takes the next transfer.
    pub(super) fn add(&mut self, transfer: &TransferRow, report: &mut VerifyReport) {
        // A hash that is none is found to be wrong as a link of the chain.
        let hash = parse(&transfer.hash).unwrap_or_default();
        let full = &mut self.full;
        self.frontier.push(merkle::leaf(&hash), |Subtree { level, place }, hash| {
            if level > 0 && level % TILE == 0 {
                full.insert((i64::from(level), i64::try_from(place).unwrap_or(i64::MAX)), *hash);
            }
        });
        if let Some(checkpoint) = self.ahead.remove(&transfer.seq) {
            let place = format!("checkpoint {}", checkpoint.seq);
            if checkpoint.hash != transfer.hash || checkpoint.root != hex::encode(self.frontier.root()) {
                report.find(Check::Checkpoints, place, "the log was rewritten since: its hash or its root is another");
            } else if let Err(error) = checkpoint.check() {
                report.find(Check::Checkpoints, place, error.to_string());
            }
        }
    }

    /// What is left once the log ends.
    pub(super) async fn end(self, snapshot: &mut dyn Snapshot, report: &mut VerifyReport) -> Result<(), StoreError> {
        if let Some(seq) = self.ahead.keys().next() {
            let message = format!("the log has {} transfers: its end is missing", self.frontier.size());
            report.find(Check::Checkpoints, format!("checkpoint {seq}"), message);
        }
        let rows = snapshot.nodes().await?;
        let mut missing = self.full;
        for NodeRow { level, place, hash } in rows {
            if missing.remove(&(level, place)).map(hex::encode) != Some(hash) {
                report.find(Check::Checkpoints, format!("subtree {level}/{place}"), "is not what the log makes of it");
            }
        }
        let signed = |(level, place): &&(i64, i64)| {
            (*place + 1).checked_shl(u32::try_from(*level).unwrap_or(0)).is_some_and(|end| end <= self.newest)
        };
        if let Some((level, place)) = missing.keys().find(signed) {
            report.find(Check::Checkpoints, format!("subtree {level}/{place}"), "is missing");
        }
        Ok(())
    }
}
