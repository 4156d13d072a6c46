//! Everything recomputed: the proof that the file says what happened.
//!
//! `schema` looks at the tables themselves; `log` walks the transfers in order, page by page, and adds up what they say; `state` compares accounts,
//! holds, keys and members with those sums. All of it reads one snapshot, so a gateway may go on writing meanwhile.
//! Per check the first bad row is named: what follows a broken link is broken too, and says nothing new.

mod charges;
mod log;
mod payments;
mod schema;
mod state;

use serde::Serialize;
use sqlx::Connection;

use super::api::Ledger;
use super::types::Head;
use crate::error::LedgerError;
use crate::id::HoldId;

/// What is compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// SQLite can read the file.
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
    /// Every key was made, changed, rotated and revoked in the log as it stands, and no other.
    Keys,
    /// Every member was put in the log as they stand, and no other.
    Members,
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
    /// Recomputes everything in the file; takes time in proportion to its size.
    ///
    /// # Errors
    /// The database cannot be reached. A file that is damaged is a finding, no error.
    pub async fn verify(&self) -> Result<VerifyReport, LedgerError> {
        let mut report = VerifyReport {
            head: Head { seq: 0, hash: super::chain::GENESIS.to_owned() },
            transfers: 0,
            accounts: 0,
            holds: 0,
            findings: Vec::new(),
            overdue_holds: Vec::new(),
        };
        let mut connection = self.readers().acquire().await?;
        let mut snapshot = connection.begin().await?;
        let now = self.clock().now().as_millis();
        let walked = async {
            let (intact,): (String,) = sqlx::query_as("PRAGMA integrity_check(1)").fetch_one(&mut *snapshot).await?;
            if intact != "ok" {
                report.find(Check::File, "integrity check", intact);
            }
            if !schema::check(&mut snapshot, &mut report).await? {
                return Ok(());
            }
            let totals = log::walk(&mut snapshot, &mut report).await?;
            state::compare(&mut snapshot, &totals, now, &mut report).await
        };
        match walked.await {
            Err(error) if is_damage(&error) => report.find(Check::File, self.path().display(), error.to_string()),
            Err(error) => return Err(error.into()),
            Ok(()) => {}
        }
        snapshot.rollback().await?;
        Ok(report)
    }
}

/// Whether the file rather than the way to it is at fault.
fn is_damage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => true,
        // SQLITE_CORRUPT and its extended codes, SQLITE_NOTADB.
        sqlx::Error::Database(database) => {
            database.code().and_then(|code| code.parse::<i64>().ok()).is_some_and(|code| matches!(code & 0xff, 11 | 26))
        }
        _ => false,
    }
}
