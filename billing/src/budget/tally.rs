//! One scope's sums: what was spent in each window, and what is reserved against all of them.

use super::BudgetError;
use crate::access::BudgetLimits;
use crate::calendar::Window;
use crate::clock::Timestamp;
use crate::ledger::{Amount, KeyUsage};
use crate::money::Nanos;

#[derive(Debug)]
pub(super) struct Tally {
    sums: [Sum; Window::ALL.len()],
    reserved: Nanos,
    used_at: Timestamp,
}

/// What was spent since one window began.
#[derive(Debug)]
struct Sum {
    window: Window,
    start: Timestamp,
    spent: Nanos,
}

impl Tally {
    pub(super) fn new(now: Timestamp) -> Self {
        let sums = Window::ALL.map(|window| Sum { window, start: window.start(now), spent: Nanos::ZERO });
        Self { sums, reserved: Nanos::ZERO, used_at: now }
    }

    pub(super) const fn used_at(&self) -> Timestamp {
        self.used_at
    }

    /// Adds what the ledger knew at `asked_at`. A window that has begun anew since then has none of it.
    pub(super) fn add_past(&mut self, past: &KeyUsage, asked_at: Timestamp) {
        self.roll(asked_at);
        for sum in &mut self.sums {
            if sum.start == sum.window.start(asked_at) {
                sum.spent = sum.spent.saturating_add(match sum.window {
                    Window::Day => past.day,
                    Window::Week => past.week,
                    Window::Month => past.month,
                    Window::Lifetime => past.total,
                });
            }
        }
    }

    /// What is reserved counts against the windows of the moment, whichever they were when it was reserved.
    pub(super) fn reserve(
        &mut self,
        limits: &BudgetLimits,
        amount: Amount,
        now: Timestamp,
    ) -> Result<Nanos, BudgetError> {
        self.roll(now);
        let mut room = Nanos::MAX;
        for sum in self.sums.iter().rev() {
            let Some(limit) = limits.of(sum.window) else { continue };
            let remaining = limit.minus_or_zero(sum.spent).minus_or_zero(self.reserved);
            if remaining < amount.least {
                let resets_at = sum.window.end(now);
                return Err(BudgetError::Exhausted { window: sum.window, limit, remaining, resets_at });
            }
            room = room.min(remaining);
        }
        let granted = amount.most.min(room);
        self.reserved = self.reserved.saturating_add(granted);
        Ok(granted)
    }

    /// Exchanges what was reserved for what was paid, in the windows of the moment.
    pub(super) fn settle(&mut self, reserved: Nanos, paid: Nanos, now: Timestamp) {
        self.roll(now);
        self.reserved = self.reserved.minus_or_zero(reserved);
        for sum in &mut self.sums {
            sum.spent = sum.spent.saturating_add(paid);
        }
    }

    /// Windows that have begun anew are empty. A clock that is set back opens no old window again.
    fn roll(&mut self, now: Timestamp) {
        self.used_at = self.used_at.max(now);
        for sum in &mut self.sums {
            let start = sum.window.start(now);
            if start > sum.start {
                (sum.start, sum.spent) = (start, Nanos::ZERO);
            }
        }
    }
}
