//! Sums of what was spent, each from one index of charges alone.

use super::api::Ledger;
use super::types::{KeyUsage, Totals};
use crate::budget::BudgetScope;
use crate::calendar::Window;
use crate::clock::Timestamp;
use crate::error::LedgerError;
use crate::id::{AccountId, KeyId};
use crate::money::Nanos;

macro_rules! spent {
    ($whose:literal) => {
        concat!(
            "SELECT COALESCE(SUM(total), 0) AS total,
                    COALESCE(SUM(CASE WHEN created_at >= ?2 THEN total END), 0) AS day,
                    COALESCE(SUM(CASE WHEN created_at >= ?3 THEN total END), 0) AS week,
                    COALESCE(SUM(CASE WHEN created_at >= ?4 THEN total END), 0) AS month,
                    COUNT(*) AS requests
             FROM charges WHERE ",
            $whose,
            " AND created_at < ?5"
        )
    };
}

#[derive(sqlx::FromRow)]
struct Spent {
    total: i64,
    day: i64,
    week: i64,
    month: i64,
    requests: i64,
}

impl Ledger {
    /// All that a customer's account was credited, and all that it paid.
    ///
    /// # Errors
    /// No such account, or the database's failure.
    pub async fn totals(&self, account: &AccountId) -> Result<Totals, LedgerError> {
        // Credits, payments, refunds, disputes and charges move a customer's balance: what is not a charge follows.
        let sums: Option<(i64, i64)> = sqlx::query_as(
            "SELECT balance, COALESCE((SELECT SUM(total) FROM charges WHERE account = ?1), 0)
             FROM accounts WHERE id = ?1",
        )
        .bind(account.as_str())
        .fetch_optional(self.readers())
        .await?;
        let (balance, used) = sums.ok_or_else(|| LedgerError::not_found("account", account))?;
        let used = Nanos::new(used);
        Ok(Totals { credited: Nanos::new(balance).checked_add(used)?, used })
    }

    /// What a key and all others of its chain of rotations spent, through tokens minted under them too, ever and in the
    /// UTC windows of this moment. Whichever key of a chain is asked for, the answer is the same.
    ///
    /// # Errors
    /// The database's failure. An unknown key spent nothing.
    pub async fn key_usage(&self, key: &KeyId) -> Result<KeyUsage, LedgerError> {
        self.usage_of(&BudgetScope::Key(key.clone()), self.clock().now(), None).await
    }

    /// What was spent in the windows of `now` by charges posted before `before`; `None` for all of them.
    pub(crate) async fn usage_of(
        &self,
        scope: &BudgetScope,
        now: Timestamp,
        before: Option<Timestamp>,
    ) -> Result<KeyUsage, LedgerError> {
        let (sql, id) = match scope {
            // A charge keeps the key that was shown. A key that is not in the books is a chain by itself.
            BudgetScope::Key(key) => (
                spent!(
                    "key_id IN (SELECT ?1 UNION ALL
                                SELECT id FROM keys WHERE root = (SELECT root FROM keys WHERE id = ?1))"
                ),
                key.as_str(),
            ),
            BudgetScope::Token(token) => (spent!("token_id = ?1"), token.as_str()),
        };
        let spent: Spent = sqlx::query_as(sql)
            .bind(id)
            .bind(Window::Day.start(now).as_millis())
            .bind(Window::Week.start(now).as_millis())
            .bind(Window::Month.start(now).as_millis())
            .bind(before.map_or(i64::MAX, Timestamp::as_millis))
            .fetch_one(self.readers())
            .await?;
        Ok(KeyUsage {
            total: Nanos::new(spent.total),
            day: Nanos::new(spent.day),
            week: Nanos::new(spent.week),
            month: Nanos::new(spent.month),
            requests: spent.requests.unsigned_abs(),
        })
    }
}
