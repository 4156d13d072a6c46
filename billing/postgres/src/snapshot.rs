//! Everything in the database at one moment.

use async_trait::async_trait;
use peerway_billing_store::{
    AccountRow, AlertRow, CheckpointRow, DayRow, HoldRow, HookRow, KeyRow, LogPage, MemberRow, NodeRow, OwnerRow,
    ShareRow, Snapshot, StoreError,
};
use sqlx::{Postgres, Transaction};

use crate::error::answer;
use crate::schema;
use crate::tables::{
    accounts, alerts, charges, checkpoints, days, entries, holds, hooks, keys, members, nodes, owners, parts, shares,
    transfers,
};

/// A transaction that only reads.
pub(crate) struct Moment {
    at: Transaction<'static, Postgres>,
}

impl Moment {
    pub(crate) const fn of(at: Transaction<'static, Postgres>) -> Self {
        Self { at }
    }

    async fn page(&mut self, after: i64, limit: i64) -> Result<LogPage, sqlx::Error> {
        let at = &mut *self.at;
        let transfers = transfers!("WHERE seq > $1 ORDER BY seq LIMIT $2", after, limit).fetch_all(&mut *at).await?;
        let last = LogPage::last(&transfers, limit);
        let entries = entries!("WHERE transfer > $1 AND transfer <= $2 ORDER BY transfer, line", after, last);
        let entries = entries.fetch_all(&mut *at).await?;
        let charges = charges!("WHERE transfer > $1 AND transfer <= $2 ORDER BY transfer", after, last);
        let charges = charges.fetch_all(&mut *at).await?;
        let parts = parts!("WHERE transfer > $1 AND transfer <= $2 ORDER BY transfer, part", after, last);
        Ok(LogPage { transfers, entries, charges, parts: parts.fetch_all(&mut *at).await? })
    }
}

#[async_trait]
impl Snapshot for Moment {
    /// The server checks its pages as it reads them; one that is damaged is an error of whatever reads it.
    async fn damage(&mut self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    async fn odd_schema(&mut self) -> Result<Option<String>, StoreError> {
        answer(schema::odd(&mut self.at)).await
    }

    async fn log(&mut self, after: i64, limit: i64) -> Result<LogPage, StoreError> {
        answer(self.page(after, limit)).await
    }

    async fn holds(&mut self, after: &str, limit: i64) -> Result<Vec<HoldRow>, StoreError> {
        let holds = holds!("WHERE id > $1 ORDER BY id LIMIT $2", after, limit);
        answer(holds.fetch_all(&mut *self.at)).await
    }

    async fn owners(&mut self) -> Result<Vec<OwnerRow>, StoreError> {
        answer(owners!("ORDER BY owner").fetch_all(&mut *self.at)).await
    }

    async fn accounts(&mut self) -> Result<Vec<AccountRow>, StoreError> {
        answer(accounts!("ORDER BY id").fetch_all(&mut *self.at)).await
    }

    async fn keys(&mut self) -> Result<Vec<KeyRow>, StoreError> {
        answer(keys!("ORDER BY id").fetch_all(&mut *self.at)).await
    }

    async fn members(&mut self) -> Result<Vec<MemberRow>, StoreError> {
        answer(members!("ORDER BY account, subject").fetch_all(&mut *self.at)).await
    }

    async fn days(&mut self) -> Result<Vec<DayRow>, StoreError> {
        answer(days!("ORDER BY account, day, key, model").fetch_all(&mut *self.at)).await
    }

    async fn checkpoints(&mut self) -> Result<Vec<CheckpointRow>, StoreError> {
        answer(checkpoints!("ORDER BY seq").fetch_all(&mut *self.at)).await
    }

    async fn nodes(&mut self) -> Result<Vec<NodeRow>, StoreError> {
        answer(nodes!("ORDER BY level, place").fetch_all(&mut *self.at)).await
    }

    async fn hooks(&mut self) -> Result<Vec<HookRow>, StoreError> {
        answer(hooks!("ORDER BY account").fetch_all(&mut *self.at)).await
    }

    async fn shares(&mut self) -> Result<Vec<ShareRow>, StoreError> {
        answer(shares!("ORDER BY scope, owner").fetch_all(&mut *self.at)).await
    }

    async fn alerts(&mut self, after: &str, limit: i64) -> Result<Vec<AlertRow>, StoreError> {
        let alerts = alerts!("WHERE id > $1 ORDER BY id LIMIT $2", after, limit);
        answer(alerts.fetch_all(&mut *self.at)).await
    }
}
