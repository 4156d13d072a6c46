//! Everything in the file at one moment, and whether the file itself is whole.

use async_trait::async_trait;
use peerway_billing_store::{
    AccountRow, AlertRow, CheckpointRow, DayRow, HoldRow, HookRow, KeyRow, LogPage, MemberRow, NodeRow, OwnerRow,
    ShareRow, Snapshot, StoreError,
};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::error::failed;
use crate::open;
use crate::tables::{
    accounts, alerts, charges, checkpoints, days, entries, holds, hooks, keys, members, nodes, owners, parts, shares,
    transfers,
};

/// A transaction that only reads.
pub(crate) struct Moment {
    at: Transaction<'static, Sqlite>,
}

impl Moment {
    pub(crate) const fn of(at: Transaction<'static, Sqlite>) -> Self {
        Self { at }
    }

    async fn page(&mut self, after: i64, limit: i64) -> Result<LogPage, sqlx::Error> {
        let at = &mut *self.at;
        let transfers = transfers!("WHERE seq > ?1 ORDER BY seq LIMIT ?2", after, limit).fetch_all(&mut *at).await?;
        let last = LogPage::last(&transfers, limit);
        let entries = entries!("WHERE transfer > ?1 AND transfer <= ?2 ORDER BY transfer, line", after, last);
        let entries = entries.fetch_all(&mut *at).await?;
        let charges = charges!("WHERE transfer > ?1 AND transfer <= ?2 ORDER BY transfer", after, last);
        let charges = charges.fetch_all(&mut *at).await?;
        let parts = parts!("WHERE transfer > ?1 AND transfer <= ?2 ORDER BY transfer, part", after, last);
        Ok(LogPage { transfers, entries, charges, parts: parts.fetch_all(&mut *at).await? })
    }
}

#[async_trait]
impl Snapshot for Moment {
    async fn damage(&mut self) -> Result<Option<String>, StoreError> {
        // A cast, because SQLite can say the type of an expression and not that of a pragma's column.
        let check = sqlx::query_scalar!(
            r#"SELECT CAST(integrity_check AS TEXT) AS "said!: String" FROM pragma_integrity_check LIMIT 1"#
        );
        let said = check.fetch_one(&mut *self.at).await.map_err(failed)?;
        Ok((said != "ok").then_some(said))
    }

    async fn odd_schema(&mut self) -> Result<Option<String>, StoreError> {
        let mut fresh = open::in_memory().await.map_err(failed)?;
        let expected = schema(&mut fresh).await.map_err(failed)?;
        let found = schema(&mut self.at).await.map_err(failed)?;
        Ok(odd(&expected, &found).or_else(|| odd(&found, &expected)))
    }

    async fn log(&mut self, after: i64, limit: i64) -> Result<LogPage, StoreError> {
        self.page(after, limit).await.map_err(failed)
    }

    async fn holds(&mut self, after: &str, limit: i64) -> Result<Vec<HoldRow>, StoreError> {
        let holds = holds!("WHERE id > ?1 ORDER BY id LIMIT ?2", after, limit);
        holds.fetch_all(&mut *self.at).await.map_err(failed)
    }

    async fn owners(&mut self) -> Result<Vec<OwnerRow>, StoreError> {
        owners!("ORDER BY owner").fetch_all(&mut *self.at).await.map_err(failed)
    }

    async fn accounts(&mut self) -> Result<Vec<AccountRow>, StoreError> {
        accounts!("ORDER BY id").fetch_all(&mut *self.at).await.map_err(failed)
    }

    async fn keys(&mut self) -> Result<Vec<KeyRow>, StoreError> {
        keys!("ORDER BY id").fetch_all(&mut *self.at).await.map_err(failed)
    }

    async fn members(&mut self) -> Result<Vec<MemberRow>, StoreError> {
        members!("ORDER BY account, subject").fetch_all(&mut *self.at).await.map_err(failed)
    }

    async fn days(&mut self) -> Result<Vec<DayRow>, StoreError> {
        days!("ORDER BY account, day, key, model").fetch_all(&mut *self.at).await.map_err(failed)
    }

    async fn checkpoints(&mut self) -> Result<Vec<CheckpointRow>, StoreError> {
        checkpoints!("ORDER BY seq").fetch_all(&mut *self.at).await.map_err(failed)
    }

    async fn nodes(&mut self) -> Result<Vec<NodeRow>, StoreError> {
        nodes!("ORDER BY level, place").fetch_all(&mut *self.at).await.map_err(failed)
    }

    async fn hooks(&mut self) -> Result<Vec<HookRow>, StoreError> {
        hooks!("ORDER BY account").fetch_all(&mut *self.at).await.map_err(failed)
    }

    async fn shares(&mut self) -> Result<Vec<ShareRow>, StoreError> {
        shares!("ORDER BY scope, owner").fetch_all(&mut *self.at).await.map_err(failed)
    }

    async fn alerts(&mut self, after: &str, limit: i64) -> Result<Vec<AlertRow>, StoreError> {
        let alerts = alerts!("WHERE id > ?1 ORDER BY id LIMIT ?2", after, limit);
        alerts.fetch_all(&mut *self.at).await.map_err(failed)
    }
}

/// Something in the schema. As bytes: damaged text may be no text.
#[derive(PartialEq)]
struct Definition {
    kind: Vec<u8>,
    name: Vec<u8>,
    sql: Vec<u8>,
}

async fn schema(connection: &mut SqliteConnection) -> Result<Vec<Definition>, sqlx::Error> {
    let definitions = sqlx::query_as!(
        Definition,
        r#"SELECT CAST(type AS BLOB) AS "kind!: Vec<u8>", CAST(name AS BLOB) AS "name!: Vec<u8>",
                  CAST(COALESCE(sql, '') AS BLOB) AS "sql!: Vec<u8>"
           FROM sqlite_schema ORDER BY type, name"#
    );
    definitions.fetch_all(connection).await
}

/// The name of the first definition that others do not have.
fn odd(definitions: &[Definition], others: &[Definition]) -> Option<String> {
    let odd = definitions.iter().find(|definition| !others.contains(definition))?;
    Some(String::from_utf8_lossy(&odd.name).escape_debug().to_string())
}
