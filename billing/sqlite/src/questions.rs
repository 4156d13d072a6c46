//! Questions that change nothing, each answered from committed state.

use async_trait::async_trait;
use peerway_billing_store::{
    AccountNow, AccountRow, Charges, HoldRow, KeyRow, Link, Logged, MemberRow, Questions, StoreError, Sums, Windows,
};

use crate::SqliteStore;
use crate::error::failed;
use crate::load::{head, parts_of};
use crate::tables::{charges, holds, keys, members};

/// An account with what its overdue holds take, in one row.
struct Found {
    id: String,
    kind: String,
    name: String,
    frozen: i64,
    created_at: i64,
    balance: i64,
    held: i64,
    disputes: i64,
    expired: i64,
}

impl From<Found> for AccountNow {
    fn from(found: Found) -> Self {
        let Found { id, kind, name, frozen, created_at, balance, held, disputes, expired } = found;
        Self { account: AccountRow { id, kind, name, frozen, created_at, balance, held, disputes }, expired }
    }
}

/// Accounts at the moment `?1`.
macro_rules! accounts_now {
    ($rest:literal $(, $bind:expr)*) => {
        sqlx::query_as!(
            Found,
            r#"SELECT a.id AS "id!", a.kind AS "kind!", a.name AS "name!", a.frozen AS "frozen!",
                      a.created_at AS "created_at!", a.balance AS "balance!", a.held AS "held!",
                      a.disputes AS "disputes!",
                      COALESCE((SELECT SUM(h.amount - h.captured) FROM holds h
                                WHERE h.state = 'open' AND h.expires_at <= ?1 AND h.account = a.id), 0) AS "expired!: i64"
               FROM accounts a "# + $rest
            $(, $bind)*
        )
    };
}

#[async_trait]
impl Questions for SqliteStore {
    async fn head(&self) -> Result<Option<Link>, StoreError> {
        head(&mut *self.readers.acquire().await.map_err(failed)?).await.map_err(failed)
    }

    async fn account(&self, id: &str, now: i64) -> Result<Option<AccountNow>, StoreError> {
        let found = accounts_now!("WHERE a.id = ?2", now, id).fetch_optional(&self.readers).await;
        Ok(found.map_err(failed)?.map(AccountNow::from))
    }

    async fn accounts(&self, after: &str, now: i64, limit: i64) -> Result<Vec<AccountNow>, StoreError> {
        let found = accounts_now!("WHERE ?2 = '' OR a.id > ?2 ORDER BY a.id LIMIT ?3", now, after, limit);
        Ok(found.fetch_all(&self.readers).await.map_err(failed)?.into_iter().map(AccountNow::from).collect())
    }

    async fn totals(&self, account: &str) -> Result<Option<(i64, i64)>, StoreError> {
        let sums = sqlx::query!(
            r#"SELECT balance AS "balance!",
                      COALESCE((SELECT SUM(total) FROM charges WHERE account = ?1), 0) AS "used!: i64"
               FROM accounts WHERE id = ?1"#,
            account
        );
        let sums = sums.fetch_optional(&self.readers).await.map_err(failed)?;
        Ok(sums.map(|sums| (sums.balance, sums.used)))
    }

    async fn hold(&self, id: &str) -> Result<Option<HoldRow>, StoreError> {
        holds!("WHERE id = ?1", id).fetch_optional(&self.readers).await.map_err(failed)
    }

    async fn charge(&self, request: &str) -> Result<Charges, StoreError> {
        let mut connection = self.readers.acquire().await.map_err(failed)?;
        let charges = charges!("WHERE request_id = ?1", request).fetch_all(&mut *connection).await.map_err(failed)?;
        let parts = parts_of(&mut connection, &charges).await.map_err(failed)?;
        Ok(Charges { charges, parts })
    }

    async fn charges(&self, account: &str, limit: i64) -> Result<Charges, StoreError> {
        let mut connection = self.readers.acquire().await.map_err(failed)?;
        let charges = charges!("WHERE account = ?1 ORDER BY transfer DESC LIMIT ?2", account, limit);
        let charges = charges.fetch_all(&mut *connection).await.map_err(failed)?;
        let parts = parts_of(&mut connection, &charges).await.map_err(failed)?;
        Ok(Charges { charges, parts })
    }

    async fn spent(&self, key: &str, windows: Windows) -> Result<Sums, StoreError> {
        let Windows { day, week, month } = windows;
        // A charge keeps the key that was shown.
        let sums = sqlx::query_as!(
            Sums,
            r#"SELECT COALESCE(SUM(total), 0) AS "total!: i64",
                      COALESCE(SUM(CASE WHEN created_at >= ?2 THEN total END), 0) AS "day!: i64",
                      COALESCE(SUM(CASE WHEN created_at >= ?3 THEN total END), 0) AS "week!: i64",
                      COALESCE(SUM(CASE WHEN created_at >= ?4 THEN total END), 0) AS "month!: i64",
                      COUNT(*) AS "requests!: i64"
               FROM charges
               WHERE key_id IN (SELECT ?1 UNION ALL
                                SELECT id FROM keys WHERE root = (SELECT root FROM keys WHERE id = ?1))"#,
            key,
            day,
            week,
            month
        );
        sums.fetch_one(&self.readers).await.map_err(failed)
    }

    async fn audit(&self, account: &str, before: i64, limit: i64) -> Result<Vec<Logged>, StoreError> {
        let logged = sqlx::query_as!(
            Logged,
            r#"SELECT seq AS "seq!", created_at, audit AS "audit!" FROM transfers WHERE audit_account = ?1 AND seq < ?2
               ORDER BY seq DESC LIMIT ?3"#,
            account,
            before,
            limit
        );
        logged.fetch_all(&self.readers).await.map_err(failed)
    }

    async fn key(&self, id: &str) -> Result<Option<KeyRow>, StoreError> {
        keys!("WHERE id = ?1", id).fetch_optional(&self.readers).await.map_err(failed)
    }

    async fn key_by_hash(&self, sha256: &str) -> Result<Option<KeyRow>, StoreError> {
        keys!("WHERE sha256 = ?1", sha256).fetch_optional(&self.readers).await.map_err(failed)
    }

    async fn keys(&self, account: Option<&str>, limit: i64) -> Result<Vec<KeyRow>, StoreError> {
        let keys = match account {
            Some(account) => {
                let keys = keys!("WHERE account = ?1 ORDER BY created_at, id LIMIT ?2", account, limit);
                keys.fetch_all(&self.readers).await
            }
            None => keys!("ORDER BY created_at, id LIMIT ?1", limit).fetch_all(&self.readers).await,
        };
        keys.map_err(failed)
    }

    async fn members(&self, account: &str, limit: i64) -> Result<Vec<MemberRow>, StoreError> {
        let members = members!("WHERE account = ?1 ORDER BY subject LIMIT ?2", account, limit);
        members.fetch_all(&self.readers).await.map_err(failed)
    }

    async fn memberships(&self, subject: &str, limit: i64) -> Result<Vec<MemberRow>, StoreError> {
        let members = members!("WHERE subject = ?1 ORDER BY account LIMIT ?2", subject, limit);
        members.fetch_all(&self.readers).await.map_err(failed)
    }
}
