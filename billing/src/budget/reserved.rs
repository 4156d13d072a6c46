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
    paid: Nanos,
}

impl Reserved {
    pub(super) fn new(scope: Arc<Scope>, clock: Clock, amount: Nanos) -> Self {
        Self { scope, clock, amount, paid: Nanos::ZERO }
    }

    /// What this request may cost at most.
    #[must_use]
    pub const fn amount(&self) -> Nanos {
        self.amount
    }

    /// Counts what the request paid, in the windows of this moment, and gives the rest back. Call it where the
    /// charge is captured. More than [`Self::amount`] is counted as it is: it was spent.
    pub fn spend(mut self, paid: Nanos) {
        self.paid = paid.max(Nanos::ZERO);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.scope.tally().settle(self.amount, self.paid, self.clock.now());
    }
}
