//! Everything as it is at one moment, read piece by piece.

use async_trait::async_trait;

use crate::error::StoreError;
use crate::rows::{
    AccountRow, AlertRow, ChargeRow, CheckpointRow, DayRow, EntryRow, HoldRow, HookRow, KeyRow, MemberRow, NodeRow,
    OwnerRow, PartRow, ShareRow, TransferRow,
};

/// A stretch of the log: transfers, and all other rows that lie in it, whether their transfer is there or not.
#[derive(Debug, Clone, Default)]
pub struct LogPage {
    /// In order.
    pub transfers: Vec<TransferRow>,
    /// By transfer and line.
    pub entries: Vec<EntryRow>,
    /// By transfer.
    pub charges: Vec<ChargeRow>,
    /// By transfer and place.
    pub parts: Vec<PartRow>,
}

impl LogPage {
    /// Up to which place other rows belong to this page of `limit` transfers at most. The last page is shorter and
    /// goes on for ever, so that rows beyond the end of the log are found.
    #[must_use]
    pub fn last(transfers: &[TransferRow], limit: i64) -> i64 {
        let full = i64::try_from(transfers.len()).is_ok_and(|found| found == limit);
        transfers.last().filter(|_| full).map_or(i64::MAX, |transfer| transfer.seq)
    }
}

/// Everything at one moment. Dropped, it is let go.
#[async_trait]
pub trait Snapshot: Send {
    /// What the database itself finds wrong with what it keeps; `None` when nothing, or when it cannot tell.
    async fn damage(&mut self) -> Result<Option<String>, StoreError>;

    /// The name of something in the schema that is missing or was changed, such as a trigger that keeps the log
    /// append-only; `None` when all of it is as it was made.
    async fn odd_schema(&mut self) -> Result<Option<String>, StoreError>;

    /// The next `limit` transfers after `after`, with all that lies between.
    async fn log(&mut self, after: i64, limit: i64) -> Result<LogPage, StoreError>;

    /// The next `limit` holds after `after`, in the order of their ids.
    async fn holds(&mut self, after: &str, limit: i64) -> Result<Vec<HoldRow>, StoreError>;

    /// All owners, in the order of their names.
    async fn owners(&mut self) -> Result<Vec<OwnerRow>, StoreError>;

    /// All accounts, in the order of their ids.
    async fn accounts(&mut self) -> Result<Vec<AccountRow>, StoreError>;

    /// All keys, in the order of their ids.
    async fn keys(&mut self) -> Result<Vec<KeyRow>, StoreError>;

    /// All members, in the order of their accounts and subjects.
    async fn members(&mut self) -> Result<Vec<MemberRow>, StoreError>;

    /// What was spent by day, by everybody.
    async fn days(&mut self) -> Result<Vec<DayRow>, StoreError>;

    /// All checkpoints, oldest first.
    async fn checkpoints(&mut self) -> Result<Vec<CheckpointRow>, StoreError>;

    /// All nodes of the tree that are kept, by level and place.
    async fn nodes(&mut self) -> Result<Vec<NodeRow>, StoreError>;

    /// All hooks for alerts, in the order of their accounts.
    async fn hooks(&mut self) -> Result<Vec<HookRow>, StoreError>;

    /// The next `limit` alerts after `after`, in the order of their ids.
    async fn alerts(&mut self, after: &str, limit: i64) -> Result<Vec<AlertRow>, StoreError>;

    /// All shares of budgets, in the order of their scopes and owners.
    async fn shares(&mut self) -> Result<Vec<ShareRow>, StoreError>;
}
