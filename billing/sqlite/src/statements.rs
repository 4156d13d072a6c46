//! What was spent by day, and who is told of it.

use async_trait::async_trait;
use peerway_billing_store::{AlertRow, DayRow, Days, FirstDays, HookRow, Statements, StoreError, Sums};

use crate::SqliteStore;
use crate::error::failed;
use crate::tables::{days, hooks};

/// An alert with its account's hook, in one row.
struct Due {
    id: String,
    account: String,
    scope: String,
    span: String,
    since: i64,
    level: i64,
    budget: i64,
    spent: i64,
    created_at: i64,
    state: String,
    attempts: i64,
    next_at: i64,
    seal: String,
    url: String,
    secret: String,
    budgets: String,
    set_at: i64,
}

impl From<Due> for (AlertRow, HookRow) {
    fn from(due: Due) -> Self {
        let hook = HookRow {
            account: due.account.clone(),
            url: due.url,
            secret: due.secret,
            budgets: due.budgets,
            created_at: due.set_at,
        };
        let alert = AlertRow {
            id: due.id,
            account: due.account,
            scope: due.scope,
            span: due.span,
            since: due.since,
            level: due.level,
            budget: due.budget,
            spent: due.spent,
            created_at: due.created_at,
            state: due.state,
            attempts: due.attempts,
            next_at: due.next_at,
            seal: due.seal,
        };
        (alert, hook)
    }
}

#[async_trait]
impl Statements for SqliteStore {
    async fn days(&self, days: Days<'_>) -> Result<Vec<DayRow>, StoreError> {
        let Days { account, from, to, key, model, after: (day, after_key, after_model), limit } = days;
        let rows = days!(
            "WHERE account = ?1 AND day BETWEEN ?2 AND ?3 AND (day, key, model) > (?4, ?5, ?6)
               AND (?7 IS NULL OR key = ?7) AND (?8 IS NULL OR model = ?8)
             ORDER BY day, key, model LIMIT ?9",
            account,
            from,
            to,
            day,
            after_key,
            after_model,
            key,
            model,
            limit
        );
        rows.fetch_all(&self.readers).await.map_err(failed)
    }

    async fn spent_by_days(&self, account: &str, chain: Option<&str>, since: FirstDays) -> Result<Sums, StoreError> {
        let FirstDays { day, week, month } = since;
        let sums = sqlx::query_as!(
            Sums,
            r#"SELECT COALESCE(SUM(total), 0) AS "total!: i64",
                      COALESCE(SUM(CASE WHEN day >= ?2 THEN total END), 0) AS "day!: i64",
                      COALESCE(SUM(CASE WHEN day >= ?3 THEN total END), 0) AS "week!: i64",
                      COALESCE(SUM(CASE WHEN day >= ?4 THEN total END), 0) AS "month!: i64",
                      COALESCE(SUM(requests), 0) AS "requests!: i64"
               FROM usage_days
               WHERE account = ?1 AND (?5 IS NULL OR key IN (SELECT id FROM keys WHERE root = ?5))"#,
            account,
            day,
            week,
            month,
            chain
        );
        sums.fetch_one(&self.readers).await.map_err(failed)
    }

    async fn hook(&self, account: &str) -> Result<Option<HookRow>, StoreError> {
        hooks!("WHERE account = ?1", account).fetch_optional(&self.readers).await.map_err(failed)
    }

    async fn hooks(&self, after: &str, limit: i64) -> Result<Vec<HookRow>, StoreError> {
        let hooks = hooks!("WHERE account > ?1 ORDER BY account LIMIT ?2", after, limit);
        hooks.fetch_all(&self.readers).await.map_err(failed)
    }

    async fn due_alerts(&self, now: i64, limit: i64) -> Result<Vec<(AlertRow, HookRow)>, StoreError> {
        let due = sqlx::query_as!(
            Due,
            r#"SELECT a.id AS "id!", a.account AS "account!", a.scope AS "scope!", a.span AS "span!", a.since AS "since!",
                      a.level AS "level!", a.budget AS "budget!", a.spent AS "spent!", a.created_at AS "created_at!",
                      a.state AS "state!", a.attempts AS "attempts!", a.next_at AS "next_at!", a.seal AS "seal!",
                      h.url AS "url!", h.secret AS "secret!", h.budgets AS "budgets!", h.created_at AS "set_at!"
               FROM alerts a JOIN alert_hooks h ON h.account = a.account
               WHERE a.state = 'due' AND a.next_at <= ?1 ORDER BY a.next_at LIMIT ?2"#,
            now,
            limit
        );
        Ok(due.fetch_all(&self.readers).await.map_err(failed)?.into_iter().map(Into::into).collect())
    }
}
