//! What nobody told: Stripe is asked for its payments, and what differs from what we keep is looked at.
//!
//! A webhook may be lost, refused while a gateway is down, or never be set up. So this alone is enough for every payment to be
//! credited; webhooks make it quick.

use std::time::Duration;

use tracing::{info, warn};

use super::Payments;
use super::error::PaymentError;
use super::truth::Truth;
use super::view::{self, PaymentState};
use super::{kept, look};
use peerway_billing_store::PaymentRow;
use peerway_billing_stripe::{Cents, Payment};

/// How far back it looks each time, and once an hour. Stripe itself tries to tell for three days.
const LATELY: Duration = Duration::from_secs(2 * 3600);
const LONG_AGO: Duration = Duration::from_secs(4 * 24 * 3600);
const HOUR: Duration = Duration::from_secs(3600);

/// How long what Stripe did not answer to, or a bank has to decide, is left alone.
const SETTLES: Duration = Duration::from_secs(60);

/// Rows of a kind that are looked at each time.
const SOME: i64 = 50;

/// Events that were looked into are kept for so long.
const REMEMBERED: Duration = Duration::from_secs(90 * 24 * 3600);

impl Payments {
    /// Looks every so often, until it is dropped.
    pub async fn follow_up(self, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut thorough = self.now();
        loop {
            ticks.tick().await;
            let due = self.now() >= thorough;
            if due {
                thorough = self.now().after(HOUR);
            }
            if let Err(error) = self.reconcile(if due { LONG_AGO } else { LATELY }).await {
                warn!(%error, "payments could not be compared with Stripe's");
            }
        }
    }

    /// Compares what Stripe has begun within `back` with what we keep, and settles what has waited. With more than two hours it
    /// also looks at what has moved before.
    ///
    /// # Errors
    /// Stripe or the ledger's database did not answer.
    pub async fn reconcile(&self, back: Duration) -> Result<(), PaymentError> {
        // What has an outcome that is not known comes first: it does not depend on lists.
        self.settle_refunds(SETTLES).await?;
        self.settle_top_ups().await?;
        let compared = self.compare(back).await;
        self.settle_open().await?;
        self.settle_disputes().await?;
        compared?;
        let old = self.before(REMEMBERED);
        self.records().forget_events(old, 1000).await?;
        Ok(())
    }

    pub(super) fn before(&self, age: Duration) -> i64 {
        self.now().as_millis().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
    }

    async fn compare(&self, back: Duration) -> Result<(), PaymentError> {
        let since = self.before(back).div_euclid(1000);
        let thorough = back > LATELY;
        let listed = self.stripe().payments_since(since, None).await?;
        if !listed.complete {
            warn!(payments = listed.found.len(), "Stripe has more payments than are compared at a time");
        }
        for payment in listed.found.iter().filter(|payment| payment.order.is_some()) {
            let row = self.records().payment_by_intent(payment.id.as_str()).await?;
            let seen = |row: &PaymentRow| row.mark == Some(Truth::mark(payment)) && !(thorough && has_moved(payment));
            if row.as_ref().is_some_and(|row| waits(row) || seen(row)) {
                continue;
            }
            info!(intent = %payment.id, "a payment has changed at Stripe");
            let looked = match row {
                Some(row) if view::state(&row) == PaymentState::Refused => self.return_whole(&row).await,
                _ => self.look(&payment.id).await,
            };
            if let Err(error) = looked {
                warn!(intent = %payment.id, %error, "a payment could not be looked at");
            }
        }
        Ok(())
    }

    /// Pages that nobody paid are over some day.
    async fn settle_open(&self) -> Result<(), PaymentError> {
        let open = PaymentState::Open.as_str();
        for row in self.records().payments_in(open, self.before(HOUR), SOME).await? {
            if let Err(error) = self.settle_page(&row).await {
                warn!(payment = %row.id, %error, "a payment could not be settled");
                self.later(&row).await?;
            }
        }
        Ok(())
    }

    async fn settle_page(&self, row: &PaymentRow) -> Result<(), PaymentError> {
        let state = match &row.session {
            Some(session) => {
                let page = self.stripe().checkout(&kept(session)?).await?;
                if let Some(payment) = &page.payment {
                    self.look(payment).await?;
                }
                if page.open { PaymentState::Open } else { PaymentState::Canceled }
            }
            // Nobody got to the page, if there is one, and it closes an hour after it was begun.
            None => PaymentState::Canceled,
        };
        let Some(row) = self.records().payment(&row.id).await? else { return Ok(()) };
        let changed_at = self.now().as_millis();
        let next = PaymentRow { state: state.as_str().to_owned(), changed_at, ..row };
        // Unless it was found paid just now.
        self.records().change_payment(&next, PaymentState::Open.as_str()).await?;
        Ok(())
    }

    /// A dispute lasts for months, longer than any list goes back.
    async fn settle_disputes(&self) -> Result<(), PaymentError> {
        let disputed = PaymentState::Disputed.as_str();
        for row in self.records().payments_in(disputed, self.before(HOUR), SOME).await? {
            if let Err(error) = self.settle_dispute(&row).await {
                warn!(payment = %row.id, %error, "a disputed payment could not be looked at");
                self.later(&row).await?;
            }
        }
        Ok(())
    }

    async fn settle_dispute(&self, row: &PaymentRow) -> Result<(), PaymentError> {
        let truth = self.truth_of(row).await?;
        self.credit(&truth, row, look::credit_in(row)?).await
    }

    /// One that cannot be settled goes behind the others: it must not keep them waiting.
    async fn later(&self, row: &PaymentRow) -> Result<(), PaymentError> {
        let Some(row) = self.records().payment(&row.id).await? else { return Ok(()) };
        let (was, changed_at) = (row.state.clone(), self.now().as_millis());
        self.records().change_payment(&PaymentRow { changed_at, ..row }, &was).await?;
        Ok(())
    }
}

/// A second dispute, or a refund in the place of one that failed, does not show in a list: where one was, another may be.
fn has_moved(payment: &Payment) -> bool {
    payment.charge.as_ref().is_some_and(|charge| charge.disputed || charge.refunded > Cents::ZERO)
}

/// A person has to decide.
fn waits(row: &PaymentRow) -> bool {
    view::state(row) == PaymentState::Review
}
