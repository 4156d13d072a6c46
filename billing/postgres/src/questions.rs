//! Questions that change nothing, each answered from committed state.

use async_trait::async_trait;
use peerway_billing_store::{
    AccountNow, AccountRow, Charges, HoldRow, KeyRow, Link, Logged, MemberRow, Questions, StoreError, Sums, Windows,
};

use crate::PostgresStore;
use crate::error::answer;
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

/// Accounts at the moment `$1`.
macro_rules! accounts_now {
    ($rest:literal $(, $bind:expr)*) => {
        sqlx::query_as!(
            Found,
            r#"SELECT a.id, a.kind, a.name, a.frozen, a.created_at, a.balance, a.held, a.disputes,
                      COALESCE((SELECT SUM(h.amount - h.captured) FROM holds h
                                WHERE h.state = 'open' AND h.expires_at <= $1 AND h.account = a.id), 0)::bigint AS "expired!"
               FROM accounts a "# + $rest
            $(, $bind)*
        )
    };
}

#[async_trait]
impl Questions for PostgresStore {
    async fn head(&self) -> Result<Option<Link>, StoreError> {
        answer(Box::pin(async { head(&mut *self.readers.acquire().await?).await })).await
    }

    async fn account(&self, id: &str, now: i64) -> Result<Option<AccountNow>, StoreError> {
        let found = accounts_now!("WHERE a.id = $2", now, id).fetch_optional(&self.readers);
        Ok(answer(found).await?.map(AccountNow::from))
    }

    async fn accounts(&self, after: &str, now: i64, limit: i64) -> Result<Vec<AccountNow>, StoreError> {
        let found = accounts_now!("WHERE $2 = '' OR a.id > $2 ORDER BY a.id LIMIT $3", now, after, limit);
        Ok(answer(found.fetch_all(&self.readers)).await?.into_iter().map(AccountNow::from).collect())
    }

    async fn totals(&self, account: &str) -> Result<Option<(i64, i64)>, StoreError> {
        let sums = sqlx::query!(
            r#"SELECT balance,
                      COALESCE((SELECT SUM(total) FROM charges WHERE account = $1), 0)::bigint AS "used!"
               FROM accounts WHERE id = $1"#,
            account
        );
        let sums = answer(sums.fetch_optional(&self.readers)).await?;
        Ok(sums.map(|sums| (sums.balance, sums.used)))
    }

    async fn hold(&self, id: &str) -> Result<Option<HoldRow>, StoreError> {
        answer(holds!("WHERE id = $1", id).fetch_optional(&self.readers)).await
    }

    async fn charge(&self, request: &str) -> Result<Charges, StoreError> {
        let charge = async {
            let mut connection = self.readers.acquire().await?;
            let charges = charges!("WHERE request_id = $1", request).fetch_all(&mut *connection).await?;
            let parts = parts_of(&mut connection, &charges).await?;
            Ok(Charges { charges, parts })
        };
        answer(Box::pin(charge)).await
    }

    async fn charges(&self, account: &str, limit: i64) -> Result<Charges, StoreError> {
        let charges = async {
            let mut connection = self.readers.acquire().await?;
            let charges = charges!("WHERE account = $1 ORDER BY transfer DESC LIMIT $2", account, limit);
            let charges = charges.fetch_all(&mut *connection).await?;
            let parts = parts_of(&mut connection, &charges).await?;
            Ok(Charges { charges, parts })
        };
        answer(Box::pin(charges)).await
    }

    async fn spent(&self, key: &str, windows: Windows) -> Result<Sums, StoreError> {
        let Windows { day, week, month } = windows;
        // A charge keeps the key that was shown.
        let sums = sqlx::query_as!(
            Sums,
            r#"SELECT COALESCE(SUM(total), 0)::bigint AS "total!",
                      COALESCE(SUM(CASE WHEN created_at >= $2 THEN total END), 0)::bigint AS "day!",
                      COALESCE(SUM(CASE WHEN created_at >= $3 THEN total END), 0)::bigint AS "week!",
                      COALESCE(SUM(CASE WHEN created_at >= $4 THEN total END), 0)::bigint AS "month!",
                      COUNT(*) AS "requests!"
               FROM charges
               WHERE key_id IN (SELECT $1::text UNION ALL
                                SELECT id FROM keys WHERE root = (SELECT root FROM keys WHERE id = $1))"#,
            key,
            day,
            week,
            month
        );
        answer(sums.fetch_one(&self.readers)).await
    }

    async fn audit(&self, account: &str, before: i64, limit: i64) -> Result<Vec<Logged>, StoreError> {
        let logged = sqlx::query_as!(
            Logged,
            r#"SELECT seq, created_at, audit AS "audit!" FROM transfers WHERE audit_account = $1 AND seq < $2
               ORDER BY seq DESC LIMIT $3"#,
            account,
            before,
            limit
        );
        answer(logged.fetch_all(&self.readers)).await
    }

    async fn key(&self, id: &str) -> Result<Option<KeyRow>, StoreError> {
        answer(keys!("WHERE id = $1", id).fetch_optional(&self.readers)).await
    }

    async fn key_by_hash(&self, sha256: &str) -> Result<Option<KeyRow>, StoreError> {
        answer(keys!("WHERE sha256 = $1", sha256).fetch_optional(&self.readers)).await
    }

    async fn keys(&self, account: Option<&str>, limit: i64) -> Result<Vec<KeyRow>, StoreError> {
        match account {
            Some(account) => {
                let keys = keys!("WHERE account = $1 ORDER BY created_at, id LIMIT $2", account, limit);
                answer(keys.fetch_all(&self.readers)).await
            }
            None => answer(keys!("ORDER BY created_at, id LIMIT $1", limit).fetch_all(&self.readers)).await,
        }
    }

    async fn members(&self, account: &str, limit: i64) -> Result<Vec<MemberRow>, StoreError> {
        let members = members!("WHERE account = $1 ORDER BY subject LIMIT $2", account, limit);
        answer(members.fetch_all(&self.readers)).await
    }

    async fn memberships(&self, subject: &str, limit: i64) -> Result<Vec<MemberRow>, StoreError> {
        let members = members!("WHERE subject = $1 ORDER BY account LIMIT $2", subject, limit);
        answer(members.fetch_all(&self.readers)).await
    }
}
