//! What can be asked beside the writer. Every answer is of what was committed before.
//!
//! `limit` bounds every answer that may be long. Nothing is found where nothing is known by a name.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::rows::{AccountNow, ChargeRow, HoldRow, KeyRow, Link, MemberRow, PartRow};

/// Charges, and the parts of those that have some, in order.
#[derive(Debug, Clone, Default)]
pub struct Charges {
    /// The charges.
    pub charges: Vec<ChargeRow>,
    /// Their parts, by transfer and place.
    pub parts: Vec<PartRow>,
}

/// When the windows began in which spending is summed.
#[derive(Debug, Clone, Copy)]
pub struct Windows {
    /// The day's beginning.
    pub day: i64,
    /// The week's.
    pub week: i64,
    /// The month's.
    pub month: i64,
}

/// What was spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// In all.
    pub total: i64,
    /// Since the day began.
    pub day: i64,
    /// Since the week began.
    pub week: i64,
    /// Since the month began.
    pub month: i64,
    /// In how many requests, in all.
    pub requests: i64,
}

/// A transfer that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its place in the log.
    pub seq: i64,
    /// When.
    pub created_at: i64,
    /// Who did what to what, as JSON.
    pub audit: String,
}

/// Questions that change nothing.
#[async_trait]
pub trait Questions: Debug + Send + Sync {
    /// The newest transfer; `None` in an empty log.
    async fn head(&self) -> Result<Option<Link>, StoreError>;

    /// An account at the moment `now`.
    async fn account(&self, id: &str, now: i64) -> Result<Option<AccountNow>, StoreError>;

    /// Accounts in the order of their ids, those after `after`.
    async fn accounts(&self, after: &str, now: i64, limit: i64) -> Result<Vec<AccountNow>, StoreError>;

    /// What an account has, and the sum of its charges.
    async fn totals(&self, account: &str) -> Result<Option<(i64, i64)>, StoreError>;

    /// A hold.
    async fn hold(&self, id: &str) -> Result<Option<HoldRow>, StoreError>;

    /// The charge of a request.
    async fn charge(&self, request: &str) -> Result<Charges, StoreError>;

    /// An account's charges, newest first.
    async fn charges(&self, account: &str, limit: i64) -> Result<Charges, StoreError>;

    /// What a key spent and all others of its chain of rotations. A key that is not in the books is a chain by itself.
    async fn spent(&self, key: &str, windows: Windows) -> Result<Sums, StoreError>;

    /// What was changed on an account before the transfer `before`, newest first.
    async fn audit(&self, account: &str, before: i64, limit: i64) -> Result<Vec<Logged>, StoreError>;

    /// A key by its id.
    async fn key(&self, id: &str) -> Result<Option<KeyRow>, StoreError>;

    /// A key by the hash of its secret.
    async fn key_by_hash(&self, sha256: &str) -> Result<Option<KeyRow>, StoreError>;

    /// The keys of an account, or of all, oldest first.
    async fn keys(&self, account: Option<&str>, limit: i64) -> Result<Vec<KeyRow>, StoreError>;

    /// The members of an account, in the order of their subjects.
    async fn members(&self, account: &str, limit: i64) -> Result<Vec<MemberRow>, StoreError>;

    /// A person's place on every account, in the order of the accounts.
    async fn memberships(&self, subject: &str, limit: i64) -> Result<Vec<MemberRow>, StoreError>;
}
