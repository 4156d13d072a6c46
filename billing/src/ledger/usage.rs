//! Sums of what was spent.

use peerway_billing_store::Windows;

use super::api::Ledger;
use super::types::{KeyUsage, Totals};
use crate::calendar::Window;
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
        let now = self.clock().now();
        let start = |window: Window| window.start(now).as_millis();
        let windows = Windows { day: start(Window::Day), week: start(Window::Week), month: start(Window::Month) };
        let spent = self.store().spent(key.as_str(), windows).await?;
        Ok(KeyUsage {
            total: Nanos::new(spent.total),
            day: Nanos::new(spent.day),
            week: Nanos::new(spent.week),
            month: Nanos::new(spent.month),
            requests: spent.requests.unsigned_abs(),
        })
    }
}
