//! What was spent by day, and who is told of it: asked beside the writer.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::questions::Sums;
use crate::rows::{AlertRow, DayRow, HookRow};

/// Which days of an account, in the order of days, keys and models.
#[derive(Debug, Clone, Copy)]
pub struct Days<'a> {
    /// The account.
    pub account: &'a str,
    /// The first day.
    pub from: i64,
    /// The last.
    pub to: i64,
    /// One key alone; `None` for all.
    pub key: Option<&'a str>,
    /// One model alone; `None` for all.
    pub model: Option<&'a str>,
    /// Day, key and model after which to begin.
    pub after: (i64, &'a str, &'a str),
    /// Rows at most.
    pub limit: i64,
}

/// The days on which the windows began in which spending is summed.
#[derive(Debug, Clone, Copy, Default)]
pub struct FirstDays {
    /// The day itself.
    pub day: i64,
    /// The week's.
    pub week: i64,
    /// The month's.
    pub month: i64,
}

/// Questions that change nothing.
#[async_trait]
pub trait Statements: Debug + Send + Sync {
    /// What was spent by day.
    async fn days(&self, days: Days<'_>) -> Result<Vec<DayRow>, StoreError>;

    /// What an account spent by those days; `chain`: with the keys of one chain of rotations alone, by its first.
    async fn spent_by_days(&self, account: &str, chain: Option<&str>, since: FirstDays) -> Result<Sums, StoreError>;

    /// Where an account is told of its budgets.
    async fn hook(&self, account: &str) -> Result<Option<HookRow>, StoreError>;

    /// The same for all accounts, in their order, those after `after`.
    async fn hooks(&self, after: &str, limit: i64) -> Result<Vec<HookRow>, StoreError>;

    /// Alerts that are due at `now` and have a hook, the oldest first.
    async fn due_alerts(&self, now: i64, limit: i64) -> Result<Vec<(AlertRow, HookRow)>, StoreError>;
}
