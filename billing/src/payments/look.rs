//! Looking at a payment: what Stripe has of it now, what we keep of it, and what follows.

use peerway_billing_store::PaymentRow;
use peerway_billing_stripe::{Cents, PaymentId};
use tracing::{info, warn};

use crate::access::Actor;
use crate::id::{AccountId, Reference};
use crate::ledger::{Deposit, Source};

use super::amount::nanos;
use super::anomaly::{Score, Suspect};
use super::error::PaymentError;
use super::truth::{Truth, Verdict};
use super::view::{self, PaymentState};
use super::{Payments, kept};

/// How many of an account's payments statistics look at.
pub(super) const HISTORY: i64 = 200;

impl Payments {
    /// Asks Stripe for a payment and does what follows from it. It may be asked any number of times, by any number of gateways.
    ///
    /// # Errors
    /// Stripe or the ledger did not answer, or a move has to wait: look again later.
    pub async fn look(&self, id: &PaymentId) -> Result<(), PaymentError> {
        let payment = self.stripe().payment(id).await?;
        let Some(row) = self.row_of(&payment).await? else { return Ok(()) };
        // What was credited may have left, and have come back before the row learnt of it.
        let moved = matches!(view::state(&row), PaymentState::Paid | PaymentState::Disputed)
            || payment.charge.as_ref().is_some_and(|charge| charge.disputed || charge.refunded > Cents::ZERO);
        let (refunds, disputes) = if moved {
            tokio::try_join!(self.stripe().refunds_of(id), self.stripe().disputes_of(id))?
        } else {
            (Vec::new(), Vec::new())
        };
        let truth = Truth { payment, refunds, disputes };
        let owner = match &truth.payment.customer {
            Some(customer) => self.records().customers_account(customer.as_str()).await?,
            None => None,
        };
        match truth.verdict(owner.as_deref()) {
            Verdict::Foreign => Ok(()),
            Verdict::Unpaid => self.tried(&truth, row, PaymentState::Open).await,
            Verdict::Canceled => self.tried(&truth, row, PaymentState::Canceled).await,
            Verdict::Doubtful(why) => self.doubt(&truth, row, why).await,
            Verdict::Paid(credit) => self.paid(&truth, row, credit).await,
        }
    }

    /// What we keep of it. A payment that names an account of ours and is not kept, since the row was lost, is kept anew.
    async fn row_of(&self, payment: &peerway_billing_stripe::Payment) -> Result<Option<PaymentRow>, PaymentError> {
        let Some(order) = &payment.order else { return Ok(None) };
        if let Some(row) = self.records().payment(order).await? {
            return Ok(Some(row));
        }
        let (Some(account), Some(credit)) = (&payment.account, payment.credit) else { return Ok(None) };
        let Ok(account) = AccountId::new(account.as_str()) else { return Ok(None) };
        // Who has not this account in the books is another gateway's, at the same Stripe.
        if self.ledger().account(&account).await.is_err() || credit == Cents::ZERO {
            return Ok(None);
        }
        let created = payment.created.saturating_mul(1000);
        let row = new_row(order.clone(), &account, "checkout", credit, created);
        self.records().open_payment(&row).await?;
        Ok(self.records().payment(order).await?)
    }

    /// Nothing was paid yet, or never will be. Cards that were declined count.
    async fn tried(&self, truth: &Truth, row: PaymentRow, to: PaymentState) -> Result<(), PaymentError> {
        let mut next = self.seen(truth, &row);
        if let Some(charge) = truth.payment.charge.as_ref().filter(|charge| charge.failed)
            && row.last_try.as_deref() != Some(charge.id.as_str())
        {
            next.last_try = Some(charge.id.to_string());
            next.declines += 1;
        }
        if row.state == PaymentState::Open.as_str() {
            next.state = to.as_str().to_owned();
        }
        self.records().change_payment(&next, &row.state).await?;
        Ok(())
    }

    /// Paid, and not as we wrote it: never credited before a person has looked.
    async fn doubt(&self, truth: &Truth, row: PaymentRow, why: &str) -> Result<(), PaymentError> {
        warn!(payment = %row.id, intent = %truth.payment.id, why, "a payment is held for review");
        self.hold(truth, &row, &Score { points: 1000, reasons: vec![why.to_owned()] }).await
    }

    async fn hold(&self, truth: &Truth, row: &PaymentRow, score: &Score) -> Result<(), PaymentError> {
        if !matches!(view::state(row), PaymentState::Open | PaymentState::Canceled) {
            return Ok(());
        }
        let mut next = self.seen(truth, row);
        next.state = PaymentState::Review.as_str().to_owned();
        next.score = i64::from(score.points);
        next.reasons = serde_json::to_string(&score.reasons).unwrap_or_else(|_| "[]".to_owned());
        self.records().change_payment(&next, &row.state).await?;
        Ok(())
    }

    async fn paid(&self, truth: &Truth, row: PaymentRow, credit: Cents) -> Result<(), PaymentError> {
        let row = match view::state(&row) {
            // It was taken back while it waited: nothing is left to decide, and nothing was credited.
            PaymentState::Review if truth.is_gone() => {
                let mut next = self.seen(truth, &row);
                next.state = PaymentState::Refused.as_str().to_owned();
                self.records().change_payment(&next, &row.state).await?;
                return Ok(());
            }
            // A person decides, or has decided that it goes back.
            PaymentState::Review | PaymentState::Refused => return Ok(()),
            PaymentState::Paid | PaymentState::Disputed => row,
            PaymentState::Open | PaymentState::Canceled => {
                let score = self.suspicion(truth, &row).await?;
                if score.points >= self.inner.rules.review_from {
                    info!(payment = %row.id, points = score.points, reasons = ?score.reasons, "a payment is held for review");
                    return self.hold(truth, &row, &score).await;
                }
                // Decided before any money moves: who crashes between finds the decision, and credits.
                let mut next = self.seen(truth, &row);
                next.state = PaymentState::Paid.as_str().to_owned();
                next.score = i64::from(score.points);
                next.mark = None;
                if !self.records().change_payment(&next, &row.state).await? {
                    let why = format!("payment {} changed meanwhile: look again", row.id);
                    return Err(PaymentError::Conflict(why));
                }
                next
            }
        };
        self.credit(truth, &row, credit).await
    }

    /// Says to the ledger all that follows. It takes each move once.
    pub(super) async fn credit(&self, truth: &Truth, row: &PaymentRow, credit: Cents) -> Result<(), PaymentError> {
        let account = account_of(row)?;
        let intent = truth.payment.id.as_str();
        let deposit = Deposit {
            account: account.clone(),
            amount: nanos(credit)?,
            source: Source::Stripe,
            reference: Reference::new(intent).map_err(|error| PaymentError::Conflict(error.to_string()))?,
            memo: format!("payment {}", row.id),
        };
        let moved = self.ledger().deposit(deposit, &Actor::Payments(Source::Stripe)).await?;
        if !moved.repeated {
            info!(payment = %row.id, %account, amount = %credit, "a payment was credited");
        }
        let back = self.moves(truth, &account, credit).await?;
        let mut next = self.seen(truth, row);
        let state = if truth.is_disputed() { PaymentState::Disputed } else { PaymentState::Paid };
        next.state = state.as_str().to_owned();
        next.back_cents = back.get();
        self.records().change_payment(&next, &row.state).await?;
        Ok(())
    }

    /// How unusual it is.
    async fn suspicion(&self, truth: &Truth, row: &PaymentRow) -> Result<Score, PaymentError> {
        let seen = self.seen(truth, row);
        let before = self.records().payments(&row.account, HISTORY).await?;
        let before: Vec<_> = before.iter().filter(|past| past.id != row.id).map(view::past).collect();
        let strangers = match &seen.card {
            Some(card) => self.records().strangers_with_card(card, &row.account).await?,
            None => 0,
        };
        let risk = truth.payment.charge.as_ref().and_then(|charge| charge.risk.as_deref());
        let strangers = usize::try_from(strangers).unwrap_or(0);
        Ok(Suspect { now: &view::past(&seen), before: &before, strangers, risk }.score())
    }

    /// The row with what was seen of the payment, and nothing decided.
    fn seen(&self, truth: &Truth, row: &PaymentRow) -> PaymentRow {
        let card = truth.payment.charge.as_ref().map(|charge| charge.card.clone()).unwrap_or_default();
        PaymentRow {
            intent: Some(truth.payment.id.to_string()),
            mark: Some(Truth::mark(&truth.payment)),
            card: card.fingerprint.or_else(|| row.card.clone()),
            country: card.country.or_else(|| row.country.clone()),
            changed_at: self.now().as_millis(),
            ..row.clone()
        }
    }

    /// The truth of a kept payment that somebody paid.
    pub(super) async fn truth_of(&self, row: &PaymentRow) -> Result<Truth, PaymentError> {
        let intent = row.intent.as_deref().ok_or_else(|| PaymentError::Conflict("nothing was paid yet".to_owned()))?;
        let id: PaymentId = kept(intent)?;
        let stripe = self.stripe();
        let (payment, refunds, disputes) =
            tokio::try_join!(stripe.payment(&id), stripe.refunds_of(&id), stripe.disputes_of(&id))?;
        Ok(Truth { payment, refunds, disputes })
    }
}

pub(super) fn account_of(row: &PaymentRow) -> Result<AccountId, PaymentError> {
    AccountId::new(row.account.as_str()).map_err(|error| PaymentError::Conflict(error.to_string()))
}

/// A payment that is about to be begun.
pub(super) fn new_row(id: String, account: &AccountId, kind: &str, credit: Cents, now: i64) -> PaymentRow {
    PaymentRow {
        id,
        account: account.as_str().to_owned(),
        kind: kind.to_owned(),
        cents: credit.get(),
        state: PaymentState::Open.as_str().to_owned(),
        session: None,
        intent: None,
        created_at: now,
        changed_at: now,
        card: None,
        country: None,
        declines: 0,
        last_try: None,
        back_cents: 0,
        mark: None,
        score: 0,
        reasons: "[]".to_owned(),
    }
}

/// The credit of a payment that is kept.
pub(super) fn credit_in(row: &PaymentRow) -> Result<Cents, PaymentError> {
    Cents::new(row.cents).ok_or_else(|| PaymentError::Conflict("the payment is of less than nothing".to_owned()))
}
