//! Leases of accounts that have little credit left, of which something came free.
//!
//! While there is plenty, a lease keeps what its requests did not need for those that follow. Near zero that would be credit
//! which nobody can spend: another gateway's request is refused for want of what lies idle here. So near zero nothing is
//! leased ahead, and what comes free is given back to the ledger at once, in one question for all that waits.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::lease::Lease;

#[derive(Debug, Default)]
pub(super) struct Scarce {
    leases: Mutex<Vec<Arc<Lease>>>,
    more: Notify,
    /// Held while some are given back, so that whoever is next finds it done.
    pub(super) giving_back: tokio::sync::Mutex<()>,
}

impl Scarce {
    /// Each lease is here once at most: see [`Lease::give_back`].
    pub(super) fn list(&self, lease: &Arc<Lease>) {
        self.leases.lock().push(Arc::clone(lease));
        self.more.notify_one();
    }

    pub(super) fn take(&self) -> Vec<Arc<Lease>> {
        std::mem::take(&mut self.leases.lock())
    }

    /// Waits until there may be some.
    pub(super) async fn listed(&self) {
        self.more.notified().await;
    }
}
