//! One request's part of a budget. It ends exactly once: spent, or given back when dropped.

use std::sync::Arc;

use super::scope::Scope;
use crate::clock::Clock;
use crate::money::Nanos;

/// Part of a budget, reserved for one request.
#[derive(Debug)]
#[must_use = "dropping it gives the budget back"]
pub struct Reserved {
    scope: Arc<Scope>,
    clock: Clock,
    amount: Nanos,
    limited: bool,
    paid: Option<Nanos>,
}

impl Reserved {
    pub(super) fn new(scope: Arc<Scope>, clock: Clock, (amount, limited): (Nanos, bool)) -> Self {
        Self { scope, clock, amount, limited, paid: None }
    }

    /// What this request may cost at most.
    #[must_use]
    pub const fn amount(&self) -> Nanos {
        self.amount
    }

    /// What the request has to pay: the rest is given back. It stays reserved until this is dropped, which is to be done when
    /// the charge is in the ledger. More than [`Self::amount`] is counted as it is: it was spent.
    pub fn owe(&mut self, paid: Nanos) {
        let paid = paid.max(Nanos::ZERO);
        self.scope.end(self.amount, paid, self.limited, self.clock.now());
        (self.amount, self.paid) = (paid, Some(paid));
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        match self.paid {
            Some(paid) => self.scope.posted(paid),
            None => self.scope.end(self.amount, Nanos::ZERO, self.limited, self.clock.now()),
        }
    }
}
