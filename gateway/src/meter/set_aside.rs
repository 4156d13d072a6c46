//! What is set aside for one request: credit of the account, a part of every budget, and tokens of a minute.
//!
//! All of them end together, once: what was paid is taken, the rest is given back. Dropped, all is given back.

use std::sync::Arc;

use peerway_billing::{Admitted, Charge, Nanos, Reserved, Split};

use crate::limits::Ticket;

/// Set aside for one request.
#[derive(Debug)]
#[must_use = "dropping it gives everything back"]
pub struct SetAside {
    hold: Option<Admitted>,
    budgets: Vec<Reserved>,
    ticket: Option<Arc<Ticket>>,
}

impl SetAside {
    /// Of the account's credit, of the budgets of key and token, and of the tokens that the ticket's caller has a minute.
    pub fn new(hold: Admitted, budgets: Vec<Reserved>, ticket: Option<Arc<Ticket>>) -> Self {
        Self { hold: Some(hold), budgets, ticket }
    }

    /// What the request may cost at most.
    #[must_use]
    pub fn amount(&self) -> Nanos {
        self.hold.as_ref().map_or(Nanos::ZERO, Admitted::amount)
    }

    /// Pays a charge for so many tokens; answers what is paid, which is never more than [`Self::amount`].
    pub fn pay(mut self, charge: Charge, tokens: u64) -> Split {
        let budgets = std::mem::take(&mut self.budgets);
        let paid = self.hold.take().map_or_else(Split::default, |hold| hold.capture_of(charge, budgets));
        if let Some(ticket) = self.ticket.take() {
            ticket.settle(tokens);
        }
        paid
    }
}

impl Drop for SetAside {
    fn drop(&mut self) {
        // The ticket outlives the request, which is told what is left after it.
        if let Some(ticket) = self.ticket.take() {
            ticket.settle(0);
        }
    }
}
