//! A share of a budget in memory.
//!
//! In the ledger it is one amount. Here that is, at every moment, no less than `reserved` + `free`: it grows by the ledger's
//! word alone, and what shrinks it here is told later.

use crate::access::BudgetLimits;
use crate::clock::Timestamp;
use crate::ledger::Amount;
use crate::money::Nanos;

#[derive(Debug)]
pub(super) struct Purse {
    /// For requests under way, and for charges that are not in the ledger yet; of requests without limits too.
    reserved: Nanos,
    /// Promised to nobody.
    free: Nanos,
    /// Against which it was granted; `None` before the first time.
    limits: Option<BudgetLimits>,
    /// Until when what is free may be given away.
    expires_at: Timestamp,
    /// The budget has little left besides.
    scarce: bool,
    /// The share as the ledger has it; the largest number where that is not known.
    told: Nanos,
    /// It is known to who tells the ledger that there is something to tell.
    listed: bool,
    /// Charges that came to be in the ledger.
    posted: u64,
    used_at: Timestamp,
}

impl Purse {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            reserved: Nanos::ZERO,
            free: Nanos::ZERO,
            limits: None,
            expires_at: now,
            scarce: false,
            told: Nanos::ZERO,
            listed: false,
            posted: 0,
            used_at: now,
        }
    }

    pub(super) const fn used_at(&self) -> Timestamp {
        self.used_at
    }

    pub(super) const fn posted(&self) -> u64 {
        self.posted
    }

    pub(super) const fn reserved(&self) -> Nanos {
        self.reserved
    }

    /// For who has no limits: counted, in case they get some.
    pub(super) fn reserve_unlimited(&mut self, amount: Nanos, now: Timestamp) -> Nanos {
        self.used_at = self.used_at.max(now);
        self.reserved = self.reserved.saturating_add(amount);
        amount
    }

    /// All that is wanted, where that is free.
    pub(super) fn reserve_most(&mut self, limits: &BudgetLimits, amount: Amount, now: Timestamp) -> Option<Nanos> {
        self.used_at = self.used_at.max(now);
        (amount.most <= self.usable(limits, now)).then(|| self.take(amount.most))
    }

    /// Whatever can be had of what is free.
    pub(super) fn reserve_any(&mut self, limits: &BudgetLimits, amount: Amount, now: Timestamp) -> Option<Nanos> {
        let granted = amount.most.min(self.usable(limits, now));
        (granted >= amount.least).then(|| self.take(granted))
    }

    fn usable(&self, limits: &BudgetLimits, now: Timestamp) -> Nanos {
        if self.limits == Some(*limits) && now < self.expires_at { self.free } else { Nanos::ZERO }
    }

    fn take(&mut self, amount: Nanos) -> Nanos {
        self.free = self.free.minus_or_zero(amount);
        self.reserved = self.reserved.saturating_add(amount);
        amount
    }

    /// Takes out what is free, to ask for all of it anew. What was reserved then is what is kept.
    pub(super) fn empty(&mut self) -> Nanos {
        std::mem::take(&mut self.free)
    }

    /// Puts back what [`Self::empty`] took out: the ledger has said nothing else.
    pub(super) fn refill(&mut self, free: Nanos) {
        self.free = self.free.saturating_add(free);
    }

    /// The ledger has granted `amount` besides what was `kept`.
    pub(super) fn granted(&mut self, kept: Nanos, amount: Nanos, terms: &Terms) {
        self.free = self.free.saturating_add(amount);
        self.told = kept.saturating_add(amount);
        self.limits = Some(terms.limits);
        self.expires_at = terms.expires_at;
        self.scarce = terms.scarce;
    }

    /// A request ends that had `amount` and has to pay `paid` of it. That stays until it [is posted](Self::is_posted).
    /// Answers whether the ledger should know at once.
    pub(super) fn end(&mut self, amount: Nanos, paid: Nanos, limited: bool, now: Timestamp) -> bool {
        self.used_at = self.used_at.max(now);
        self.reserved = self.reserved.minus_or_zero(amount).saturating_add(paid);
        if limited {
            self.free = self.free.saturating_add(amount.minus_or_zero(paid));
        }
        self.free > Nanos::ZERO && self.is_news()
    }

    /// The charge is in the ledger. Answers as [`Self::end`].
    pub(super) fn is_posted(&mut self, paid: Nanos) -> bool {
        self.reserved = self.reserved.minus_or_zero(paid);
        self.posted += 1;
        self.is_news()
    }

    /// Whether somebody has to be told first that the ledger is to hear of this.
    const fn is_news(&mut self) -> bool {
        let news = self.scarce && !self.listed;
        self.listed |= news;
        news
    }

    /// What the ledger is to be told, if it is anything new: the share as it is, without what is free where the budget is
    /// scarce or nobody has used the share for a while. `renew`: as it is until then, new or not.
    pub(super) fn news(&mut self, renew: bool, idle: bool, expires_at: Timestamp) -> Option<Nanos> {
        self.listed = false;
        if self.scarce || idle {
            self.free = Nanos::ZERO;
        }
        let share = self.reserved.saturating_add(self.free);
        let known = self.told == share && (!renew || share == Nanos::ZERO);
        // Who has no share has nothing to tell; who has no limits never asked for one.
        if self.limits.is_none() || known {
            return None;
        }
        self.told = share;
        self.expires_at = expires_at;
        Some(share)
    }

    /// It is not known whether the ledger knows.
    pub(super) fn untold(&mut self) {
        self.told = Nanos::MAX;
    }
}

/// On what terms a share was granted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) limits: BudgetLimits,
    pub(super) expires_at: Timestamp,
    pub(super) scarce: bool,
}
