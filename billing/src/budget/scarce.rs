//! Budgets that have little left, of which the ledger has a share larger than it is: it is to be told at once.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::scope::Scope;

#[derive(Debug, Default)]
pub(super) struct Scarce {
    scopes: Mutex<Vec<Arc<Scope>>>,
    more: Notify,
}

impl Scarce {
    /// Each scope is here once at most: its purse knows.
    pub(super) fn list(&self, scope: Arc<Scope>) {
        self.scopes.lock().push(scope);
        self.more.notify_one();
    }

    pub(super) fn take(&self) -> Vec<Arc<Scope>> {
        std::mem::take(&mut self.scopes.lock())
    }

    /// Waits until there may be some.
    pub(super) async fn listed(&self) {
        self.more.notified().await;
    }
}
