//! One account in the till: its lease, and the gate through which one request at a time asks for more.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::admit::AdmitError;
use super::lease::Lease;
use crate::id::{AccountId, HoldId};
use crate::money::Nanos;

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) account: AccountId,
    lease: Mutex<Option<Arc<Lease>>>,
    /// Held while the ledger is asked, so that one account has one question under way.
    pub(super) gate: tokio::sync::Mutex<LastCall>,
    /// Questions begun so far.
    calls: AtomicU64,
    /// The sum of `most` of all requests that wait at the gate, so that one question serves them all.
    wanted: AtomicI64,
}

/// What the ledger answered last.
#[derive(Debug)]
pub(super) struct LastCall {
    /// The question's number; 0 before the first.
    pub(super) number: u64,
    /// What is still available in the ledger, or why that is not known.
    pub(super) left: Result<Nanos, AdmitError>,
}

impl Slot {
    pub(super) fn new(account: AccountId) -> Self {
        Self {
            account,
            lease: Mutex::new(None),
            gate: tokio::sync::Mutex::new(LastCall { number: 0, left: Ok(Nanos::ZERO) }),
            calls: AtomicU64::new(0),
            wanted: AtomicI64::new(0),
        }
    }

    pub(super) fn lease(&self) -> Option<Arc<Lease>> {
        self.lease.lock().clone()
    }

    pub(super) fn set_lease(&self, lease: Arc<Lease>) {
        *self.lease.lock() = Some(lease);
    }

    /// Forgets the lease if it still is `hold`. Requests admitted on it keep it alive for themselves.
    pub(super) fn drop_lease(&self, hold: &HoldId) {
        let mut lease = self.lease.lock();
        if let Some(present) = lease.take_if(|present| present.hold == *hold) {
            present.retire();
        }
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// The number of a question that begins now.
    pub(super) fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Counts `most` as wanted until the answer is dropped.
    pub(super) fn want(&self, most: Nanos) -> Want<'_> {
        // Wraps at worst while absurd amounts wait, and is only a hint for how much to lease.
        self.wanted.fetch_add(most.as_i64(), Ordering::SeqCst);
        Want { slot: self, most }
    }

    pub(super) fn wanted(&self) -> Nanos {
        Nanos::new(self.wanted.load(Ordering::SeqCst).max(0))
    }
}

pub(super) struct Want<'a> {
    slot: &'a Slot,
    most: Nanos,
}

impl Drop for Want<'_> {
    fn drop(&mut self) {
        self.slot.wanted.fetch_sub(self.most.as_i64(), Ordering::SeqCst);
    }
}
