//! Who changed what: a question to the log itself, by index.
//!
//! A table beside the log was rejected: it would be a second copy, to be written, guarded and verified, of what
//! the hash chain protects anyway.

use peerway_billing_store::Logged;
use serde::Deserialize;

use super::api::Ledger;
use super::rows::corrupt;
use super::types::{Action, AuditEntry};
use crate::access::Actor;
use crate::clock::Timestamp;
use crate::error::LedgerError;
use crate::id::AccountId;

/// The most entries that one question answers.
const MOST: u32 = 1000;

/// The audit column, read.
#[derive(Deserialize)]
struct Said {
    actor: Actor,
    action: Action,
    target: String,
    detail: serde_json::Value,
}

impl Ledger {
    /// What was changed on an account, newest first: `limit` entries (1000 at most) before the place `before`,
    /// or with `None` the newest. Changes made before there was an audit log are not in it.
    ///
    /// # Errors
    /// The database's failure. On an unknown account nothing was changed.
    pub async fn audit(
        &self,
        account: &AccountId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, LedgerError> {
        let before = before.unwrap_or(i64::MAX);
        let rows = self.store().audit(account.as_str(), before, limit.min(MOST).into()).await?;
        rows.iter().map(|row| read(row, account)).collect()
    }
}

fn read(row: &Logged, account: &AccountId) -> Result<AuditEntry, LedgerError> {
    let unreadable = |_| corrupt("transfer", &row.seq.to_string());
    let Said { actor, action, target, detail } = serde_json::from_str(&row.audit).map_err(unreadable)?;
    let at = Timestamp::from_millis(row.created_at);
    Ok(AuditEntry { seq: row.seq, account: account.clone(), at, actor, action, target, detail })
}
