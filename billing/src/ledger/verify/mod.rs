//! Everything recomputed: the proof that the ledger says what happened.
//!
//! The database looks at its file and its tables; `log` walks the transfers in order, page by page, and adds up what they say; `state` compares accounts,
//! holds, keys and members with those sums. All of it reads one snapshot, so a gateway may go on writing meanwhile.
//! Per check the first bad row is named: what follows a broken link is broken too, and says nothing new.

mod charges;
mod log;
mod payments;
mod state;
mod statement;
mod tree;

pub(super) use charges::consistent;
use peerway_billing_store::{Snapshot, StoreError};
use serde::Serialize;

use super::api::Ledger;
use super::types::Head;
use crate::error::LedgerError;
use crate::id::HoldId;

/// What is compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The database can read what it keeps.
    File,
    /// Tables, indexes and the triggers that keep the log append-only are as they were made.
    Schema,
    /// Transfers are numbered without gaps, and every hash is that of the row and the hash before.
    Chain,
    /// Every transfer's entries sum to zero, and no entry lies outside a transfer.
    Sums,
    /// Every charge follows from its price and tokens, and its entries are exactly its amounts.
    Charges,
    /// Every payment, refund and dispute moves money between the accounts that it may, and ends at most once.
    Payments,
    /// Every account was opened in the log as it stands, and no other.
    Accounts,
    /// Every balance is the sum of its account's entries.
    Balances,
    /// No account has less than it holds but a frozen customer, and only what pays the platform's part is below zero.
    BelowZero,
    /// Every account's `held` is the sum of what its open holds set aside.
    Held,
    /// Every hold is as the ledger wrote it, and captured what its charges took.
    Holds,
    /// Every owner was last taken over in the log as it stands, and no other.
    Owners,
    /// Every key was made, changed, rotated and revoked in the log as it stands, and no other.
    Keys,
    /// Every member was put in the log as they stand, and no other.
    Members,
    /// What was spent by day, key and model is the sum of the charges of that day.
    Days,
    /// Every hook for alerts is as the log set it, and every alert as the ledger wrote it.
    Alerts,
    /// Every share of a budget is as the ledger wrote it.
    Shares,
    /// Every checkpoint was signed, over the log as it stands; and the tree under them is the log's.
    Checkpoints,
    /// The log says what it says in a form that this program knows.
    Memos,
}

/// The first bad row of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check.
    pub check: Check,
    /// Which row: `transfer 17`, `account acct_…`.
    pub place: String,
    /// What is there and what should be.
    pub message: String,
}

/// The result of recomputing everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// The newest link of the chain that was checked.
    pub head: Head,
    /// How many transfers were checked.
    pub transfers: u64,
    /// How many accounts were checked.
    pub accounts: u64,
    /// How many holds were checked, ended ones among them.
    pub holds: u64,
    /// How many checkpoints were checked.
    pub checkpoints: u64,
    /// The public keys that signed them, in hex. That they are the owner's own is for the reader to compare.
    pub checkpoint_keys: Vec<String>,
    /// What is wrong: at most one finding per check. Empty is good.
    pub findings: Vec<Finding>,
    /// Holds past their expiry that nobody has swept yet. They count as released; none is a fault.
    pub overdue_holds: Vec<HoldId>,
}

impl VerifyReport {
    /// Whether everything agrees.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, check: Check, place: impl std::fmt::Display, message: impl Into<String>) {
        if self.findings.iter().all(|finding| finding.check != check) {
            self.findings.push(Finding { check, place: place.to_string(), message: message.into() });
        }
    }
}

impl Ledger {
    /// Recomputes everything; takes time in proportion to its size.
    ///
    /// # Errors
    /// The database cannot be reached. What is damaged is a finding, no error.
    pub async fn verify(&self) -> Result<VerifyReport, LedgerError> {
        let mut report = VerifyReport {
            head: Head { seq: 0, hash: super::chain::GENESIS.to_owned() },
            transfers: 0,
            accounts: 0,
            holds: 0,
            checkpoints: 0,
            checkpoint_keys: Vec::new(),
            findings: Vec::new(),
            overdue_holds: Vec::new(),
        };
        let mut snapshot = self.store().snapshot().await?;
        match walk(&mut *snapshot, self.clock().now().as_millis(), &mut report).await {
            Err(StoreError::Damaged(error)) => report.find(Check::File, self.place(), error),
            walked => walked?,
        }
        Ok(report)
    }
}

async fn walk(snapshot: &mut dyn Snapshot, now: i64, report: &mut VerifyReport) -> Result<(), StoreError> {
    if let Some(damage) = snapshot.damage().await? {
        report.find(Check::File, "integrity check", damage);
    }
    // Nothing is read through tables that are not as they were made.
    if let Some(name) = snapshot.odd_schema().await? {
        let message = "is missing or was changed; the rest of the file was not checked";
        report.find(Check::Schema, format!("schema of {name}"), message);
        return Ok(());
    }
    let totals = log::walk(snapshot, report).await?;
    state::compare(snapshot, &totals, now, report).await?;
    statement::compare(snapshot, &totals, report).await
}
