//! One lease's money in memory.
//!
//! In the ledger it is a hold. Its remainder there is, at every moment, `free` + what is admitted + what is
//! captured but not durable yet; so no capture of an admitted request can exceed it.

use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Timestamp;
use crate::id::HoldId;
use crate::ledger::Amount;
use crate::money::Nanos;

#[derive(Debug)]
pub(super) struct Lease {
    pub(super) hold: HoldId,
    purse: Mutex<Purse>,
}

#[derive(Debug)]
struct Purse {
    /// Leased and promised to nobody.
    free: Nanos,
    /// Requests that are admitted and not captured.
    admitted: u64,
    /// Captures that are not durable.
    queued: u64,
    expires_at: Timestamp,
    used_at: Timestamp,
    /// The account has little left besides, so what is free here is given back at once.
    scarce: bool,
    /// It is known to who gives back that there is something.
    listed: bool,
}

impl Lease {
    /// A lease just taken, as yet without free money: the taker decides what to keep.
    pub(super) fn new(hold: HoldId, expires_at: Timestamp, now: Timestamp) -> Self {
        let purse =
            Purse { free: Nanos::ZERO, admitted: 0, queued: 0, expires_at, used_at: now, scarce: false, listed: false };
        Self { hold, purse: Mutex::new(purse) }
    }

    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        now < self.purse.lock().expires_at
    }

    /// What is leased and promised to nobody.
    pub(super) fn free(&self) -> Nanos {
        self.purse.lock().free
    }

    /// Admits a request that gets all it could want; `None` when that is not free, or the lease is over.
    pub(super) fn admit_most(&self, amount: Amount, now: Timestamp) -> Option<Nanos> {
        let mut purse = self.purse.lock();
        if now >= purse.expires_at || purse.free < amount.most {
            return None;
        }
        purse.admit(amount.most, now);
        Some(amount.most)
    }

    /// Admits a request with whatever it can get of what is free.
    pub(super) fn admit_any(&self, amount: Amount, now: Timestamp) -> Option<Nanos> {
        let mut purse = self.purse.lock();
        let granted = amount.from_pot(purse.free)?;
        purse.admit(granted, now);
        Some(granted)
    }

    /// Takes up to `most` out, to be put back by [`Self::put_back`] or [`Self::admit_with`]. Keeps the asker's share
    /// from being admitted to somebody else while the ledger is asked for the rest.
    pub(super) fn reserve(&self, most: Nanos) -> Nanos {
        let mut purse = self.purse.lock();
        let reserved = purse.free.min(most);
        purse.free = purse.free.minus_or_zero(reserved);
        reserved
    }

    /// Puts back what [`Self::reserve`] took. Answers as [`Self::give_back`].
    pub(super) fn put_back(&self, amount: Nanos) -> bool {
        self.purse.lock().put(amount)
    }

    /// Admits a request with `granted` of `pot`, adds the rest to what is free, and notes the new expiry.
    pub(super) fn admit_with(&self, pot: Nanos, granted: Nanos, expires_at: Timestamp, now: Timestamp) {
        let mut purse = self.purse.lock();
        purse.free = purse.free.saturating_add(pot);
        purse.expires_at = purse.expires_at.max(expires_at);
        purse.admit(granted, now);
    }

    /// Notes whether the account had more than was asked for.
    pub(super) fn scarce(&self, scarce: bool) {
        self.purse.lock().scarce = scarce;
    }

    /// An admitted request ended without a capture. Answers whether something is to be given back to the ledger that was
    /// not before.
    pub(super) fn give_back(&self, admitted: Nanos, now: Timestamp) -> bool {
        self.purse.lock().end(admitted, now)
    }

    /// An admitted request ended, and its capture is on the way; `rest` was not used. Answers as [`Self::give_back`].
    pub(super) fn queue_capture(&self, rest: Nanos, now: Timestamp) -> bool {
        let mut purse = self.purse.lock();
        purse.queued += 1;
        purse.end(rest, now)
    }

    /// Takes out what is to be given back to the ledger.
    pub(super) fn spare(&self) -> Nanos {
        let mut purse = self.purse.lock();
        purse.listed = false;
        if purse.scarce { std::mem::take(&mut purse.free) } else { Nanos::ZERO }
    }

    /// One capture is durable, or given up.
    pub(super) fn capture_done(&self) {
        let mut purse = self.purse.lock();
        purse.queued = purse.queued.saturating_sub(1);
    }

    pub(super) fn renewed(&self, expires_at: Timestamp) {
        let mut purse = self.purse.lock();
        purse.expires_at = purse.expires_at.max(expires_at);
    }

    /// Whether nobody used it for `idle` and nothing of it is under way.
    pub(super) fn is_idle(&self, idle: Duration, now: Timestamp) -> bool {
        let purse = self.purse.lock();
        purse.admitted == 0 && purse.queued == 0 && now >= purse.used_at.after(idle)
    }

    /// Ends it in memory: nothing is admitted any more. `false` when it came into use meanwhile.
    pub(super) fn retire_if_idle(&self, idle: Duration, now: Timestamp) -> bool {
        let mut purse = self.purse.lock();
        if purse.admitted > 0 || purse.queued > 0 || now < purse.used_at.after(idle) {
            return false;
        }
        purse.retire();
        true
    }

    pub(super) fn retire(&self) {
        self.purse.lock().retire();
    }
}

impl Purse {
    fn admit(&mut self, granted: Nanos, now: Timestamp) {
        self.free = self.free.minus_or_zero(granted);
        self.admitted += 1;
        self.used_at = now;
    }

    fn end(&mut self, rest: Nanos, now: Timestamp) -> bool {
        self.admitted = self.admitted.saturating_sub(1);
        self.used_at = now;
        self.put(rest)
    }

    fn put(&mut self, amount: Nanos) -> bool {
        self.free = self.free.saturating_add(amount);
        let news = self.scarce && self.free > Nanos::ZERO && !self.listed;
        self.listed |= news;
        news
    }

    fn retire(&mut self) {
        self.expires_at = Timestamp::from_millis(i64::MIN);
    }
}
