//! Shares of budgets: what each gateway has set aside of what a key or token may spend.
//!
//! What is spent is in the log, and what may still be spent is what the log and everybody's shares leave. A charge is in its
//! gateway's share until the gateway has learnt that it is in the log: for that moment it counts twice, and never not at all.

use super::{Books, Tracked};
use crate::calendar::Window;
use crate::ledger::rows::ShareRow;
use crate::ledger::types::{NewShare, Shared};
use crate::money::Nanos;

/// Of what a budget has left, a 128th at most is set aside for requests that have not come: what lies idle at one gateway and is
/// wanted at another is less than 1 %.
const AHEAD: i64 = 128;

impl Books {
    /// Sets aside what all windows leave; the tightest decides.
    pub(super) fn share(&mut self, new: &NewShare) -> Shared {
        let (scope, owner) = (new.scope.to_string(), new.owner.as_str().to_owned());
        let spent = self.spent.get(&scope).copied().unwrap_or_default();
        let others = self.shares.values().map(|share| &share.row);
        let others = others.filter(|share| share.scope == scope && share.owner != owner && self.now < share.expires_at);
        let taken = others.fold(new.kept, |sum, share| sum.saturating_add(Nanos::new(share.amount)));
        let mut room = Nanos::MAX;
        for window in Window::ALL.into_iter().rev() {
            let Some(limit) = new.limits.of(window) else { continue };
            let spent = Nanos::new(match window {
                Window::Day => spent.day,
                Window::Week => spent.week,
                Window::Month => spent.month,
                Window::Lifetime => spent.total,
            });
            let left = limit.minus_or_zero(spent).minus_or_zero(taken);
            if left < new.add.least {
                return Shared::Exhausted { window, limit, left };
            }
            room = room.min(left);
        }
        let needed = new.add.most.min(room);
        let spare = Nanos::new(room.minus_or_zero(needed).as_i64() / AHEAD);
        let scarce = spare < needed;
        let amount = if scarce { needed } else { needed.saturating_add(new.ahead.min(spare)) };
        let row = ShareRow {
            scope,
            owner,
            amount: new.kept.saturating_add(amount).as_i64(),
            expires_at: new.expires_at.as_millis(),
            seal: String::new(),
        };
        self.keep_share(row);
        Shared::Granted { amount, scarce }
    }

    /// A share as its owner says that it is now.
    pub(super) fn keep_share(&mut self, row: ShareRow) {
        self.shares.insert((row.scope.clone(), row.owner.clone()), Tracked::new(row));
    }

    /// What an owner has set aside is given back.
    pub(super) fn release_shares(&mut self, owner: &str) {
        for share in self.shares.values_mut().filter(|share| share.row.owner == owner) {
            share.change().amount = 0;
        }
    }
}
