//! One admitted request. It ends exactly once: captured, or given back when dropped.

use std::sync::Arc;

use super::Shared;
use super::lease::Lease;
use super::queue::Queued;
use crate::budget::Reserved;
use crate::id::RequestId;
use crate::ledger::{Capture, Charge};
use crate::money::{Nanos, Split};

/// Credit set aside for one request.
///
/// Capturing consumes it, so a request is captured at most once. Dropping it gives the credit back: that is
/// the right end for a request for which nothing was delivered and no receipt is wanted.
#[derive(Debug)]
#[must_use = "dropping it gives the credit back"]
pub struct Admitted {
    shared: Arc<Shared>,
    lease: Arc<Lease>,
    request: RequestId,
    amount: Nanos,
    captured: bool,
}

impl Admitted {
    pub(super) fn new(shared: Arc<Shared>, lease: Arc<Lease>, request: RequestId, amount: Nanos) -> Self {
        Self { shared, lease, request, amount, captured: false }
    }

    /// What this request may cost at most.
    #[must_use]
    pub const fn amount(&self) -> Nanos {
        self.amount
    }

    /// The request.
    #[must_use]
    pub const fn request(&self) -> &RequestId {
        &self.request
    }

    /// Charges the request and gives the rest back; answers what is paid, which is never more than
    /// [`Self::amount`]. Returns at once: the charge becomes durable with the journal's next write, and
    /// waits there while the ledger is away.
    #[allow(clippy::must_use_candidate)] // the charge is made whether or not its amounts are looked at
    pub fn capture(self, charge: Charge) -> Split {
        self.capture_of(charge, Vec::new())
    }

    /// As [`Self::capture`], paid out of these budgets too.
    #[allow(clippy::must_use_candidate)] // as above
    pub fn capture_of(mut self, charge: Charge, mut budgets: Vec<Reserved>) -> Split {
        self.captured = true;
        let paid = charge.split().limited(self.amount);
        let rest = self.amount.minus_or_zero(paid.total);
        if self.lease.queue_capture(rest, self.shared.ledger.clock().now()) {
            self.shared.scarce.list(&self.lease);
        }
        let capture = Capture {
            hold: self.lease.hold.clone(),
            request: self.request.clone(),
            charge,
            at_most: Some(self.amount),
            close: false,
        };
        budgets.iter_mut().for_each(|budget| budget.owe(paid.total));
        self.shared.queue.push(Queued { lease: Arc::clone(&self.lease), capture, budgets });
        paid
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if !self.captured && self.lease.give_back(self.amount, self.shared.ledger.clock().now()) {
            self.shared.scarce.list(&self.lease);
        }
    }
}
