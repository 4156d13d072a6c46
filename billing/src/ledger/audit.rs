//! Who changed what: a question to the log itself, by index.
//!
//! A table beside the log was rejected: it would be a second copy, to be written, guarded and verified, of what
//! the hash chain protects anyway.

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

#[derive(sqlx::FromRow)]
struct Logged {
    seq: i64,
    created_at: i64,
    audit: String,
}

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
        let rows: Vec<Logged> = sqlx::query_as(
            "SELECT seq, created_at, audit FROM transfers WHERE audit_account = ?1 AND seq < ?2
             ORDER BY seq DESC LIMIT ?3",
        )
        .bind(account.as_str())
        .bind(before.unwrap_or(i64::MAX))
        .bind(limit.min(MOST))
        .fetch_all(self.readers())
        .await?;
        rows.into_iter().map(|row| row.read(account)).collect()
    }
}

impl Logged {
    fn read(self, account: &AccountId) -> Result<AuditEntry, LedgerError> {
        let unreadable = |_| corrupt("transfer", &self.seq.to_string());
        let Said { actor, action, target, detail } = serde_json::from_str(&self.audit).map_err(unreadable)?;
        let at = Timestamp::from_millis(self.created_at);
        Ok(AuditEntry { seq: self.seq, account: account.clone(), at, actor, action, target, detail })
    }
}
