//! Sums of what was spent.

use peerway_billing_store::{Whose, Windows};

use super::api::Ledger;
use super::types::{KeyUsage, Totals};
use crate::budget::BudgetScope;
use crate::calendar::Window;
use crate::clock::Timestamp;
use crate::error::LedgerError;
use crate::id::{AccountId, KeyId};
use crate::money::Nanos;

impl Ledger {
    /// All that a customer's account was credited, and all that it paid.
    ///
    /// # Errors
    /// No such account, or the database's failure.
    pub async fn totals(&self, account: &AccountId) -> Result<Totals, LedgerError> {
        // Credits, payments, refunds, disputes and charges move a customer's balance: what is not a charge follows.
        let sums = self.store().totals(account.as_str()).await?;
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
        let whose = match scope {
            BudgetScope::Key(key) => Whose::Key(key.as_str()),
            BudgetScope::Token(token) => Whose::Token(token.as_str()),
        };
        let start = |window: Window| window.start(now).as_millis();
        let windows = Windows {
            day: start(Window::Day),
            week: start(Window::Week),
            month: start(Window::Month),
            before: before.map_or(i64::MAX, Timestamp::as_millis),
        };
        let spent = self.store().spent(whose, windows).await?;
        Ok(KeyUsage {
            total: Nanos::new(spent.total),
            day: Nanos::new(spent.day),
            week: Nanos::new(spent.week),
            month: Nanos::new(spent.month),
            requests: spent.requests.unsigned_abs(),
        })
    }
}
