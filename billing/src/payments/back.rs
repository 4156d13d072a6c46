//! Unused credit that goes back to the card it came from.
//!
//! First it leaves the account, so that nobody spends it meanwhile; then Stripe is asked; then it is ended by what became of it. A
//! crash or an outage between leaves a row that says `open`, and the same steps are taken again under the same names.

use std::time::Duration;

use peerway_billing_store::RefundRow;
use peerway_billing_stripe::{CallError, Cents, PaymentId, Refund as Sent, RefundStatus};
use tracing::{info, warn};

use super::amount::{cents, charge_of, nanos};
use super::checkout::of_account;
use super::error::PaymentError;
use super::look::credit_in;
use super::moves::reference;
use super::view::{self, PaidBack, PaymentState};
use super::{Payments, kept, named};
use crate::access::Actor;
use crate::error::LedgerError;
use crate::id::AccountId;
use crate::ledger::{Refund, RefundEnd, Source};
use crate::money::Nanos;

/// Refunds that are settled at a time.
const SOME: i64 = 50;

/// What is asked to go back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedBack {
    /// Whose credit.
    pub account: AccountId,
    /// Of which payment: our name for it.
    pub payment: String,
    /// How much of its credit, in whole cents. `None`: what is left of it.
    pub amount: Option<Nanos>,
    /// The asker's own name for it: the same name is the same refund. `None`: each is another.
    pub name: Option<String>,
}

impl Payments {
    /// Sends unused credit back to the card that it came from.
    ///
    /// # Errors
    /// No such payment, more than is left of it or than the account has available, or a frozen account. Where Stripe does not
    /// answer the refund is `open`, and is settled later.
    pub async fn send_back(&self, asked: &AskedBack, actor: &Actor) -> Result<PaidBack, PaymentError> {
        let payment = of_account(self.records().payment(&asked.payment).await?, &asked.account)?;
        let name = named("back", &asked.account, asked.name.as_deref());
        if let Some(row) = self.records().refund(&name).await? {
            let same = asked.amount.is_none_or(|amount| cents(amount).is_some_and(|cents| cents.get() == row.cents));
            if row.payment != payment.id || !same {
                return Err(PaymentError::NameUsed);
            }
            return Ok(view::refund(self.push(row, actor).await?));
        }
        if view::state(&payment) != PaymentState::Paid {
            let message = format!("the payment is `{}`: only what is `paid` goes back", payment.state);
            return Err(PaymentError::Conflict(message));
        }
        // Asked of Stripe, since somebody may have sent a part of it back there.
        let truth = self.truth_of(&payment).await?;
        let credit = credit_in(&payment)?;
        let back = self.moves(&truth, &asked.account, credit).await?;
        let left = Cents::new(credit.get() - back.get()).unwrap_or(Cents::ZERO);
        let amount = match asked.amount {
            Some(amount) => cents(amount).ok_or_else(|| {
                PaymentError::invalid("amount", format!("`amount` must be whole cents, not {amount}."))
            })?,
            None => left,
        };
        if amount == Cents::ZERO || amount > left {
            let message = format!("`amount` must be between 0.01 USD and what is left of the payment, {left}.");
            return Err(PaymentError::invalid("amount", message));
        }
        let refunded = truth.payment.charge.as_ref().map_or(0, |charge| charge.refunded.get());
        let received = truth.payment.received;
        // The last part takes what rounding left.
        let charge = if amount == left {
            Cents::new(received.get() - refunded).unwrap_or(Cents::ZERO)
        } else {
            charge_of(amount, received, credit)
        };
        let now = self.now().as_millis();
        let row = RefundRow {
            id: name,
            account: asked.account.as_str().to_owned(),
            payment: payment.id,
            cents: amount.get(),
            charge_cents: charge.get(),
            state: "open".to_owned(),
            refund: None,
            created_at: now,
            changed_at: now,
            problem: None,
        };
        self.records().open_refund(&row).await?;
        let row = self.push(row, actor).await?;
        if row.state == "refused" {
            return Err(PaymentError::Conflict(row.problem.unwrap_or_else(|| "the refund was refused".to_owned())));
        }
        Ok(view::refund(row))
    }

    /// An account's refunds, newest first.
    ///
    /// # Errors
    /// The ledger's database is away.
    pub async fn sent_back(&self, account: &AccountId, limit: u32) -> Result<Vec<PaidBack>, PaymentError> {
        let rows = self.records().refunds(account.as_str(), limit.into()).await?;
        Ok(rows.into_iter().map(view::refund).collect())
    }

    /// Takes the steps that have not been taken. What is over stays as it is.
    async fn push(&self, row: RefundRow, actor: &Actor) -> Result<RefundRow, PaymentError> {
        if row.state != "open" {
            return Ok(row);
        }
        let refund = Refund {
            account: AccountId::new(row.account.as_str()).map_err(|error| PaymentError::Conflict(error.to_string()))?,
            amount: nanos(Cents::new(row.cents).unwrap_or(Cents::ZERO))?,
            source: Source::Stripe,
            reference: reference(&row.id)?,
            memo: format!("refund of payment {}", row.payment),
        };
        match self.ledger().refund(refund, actor).await {
            Ok(_) => {}
            Err(error @ (LedgerError::Insufficient { .. } | LedgerError::Frozen(_))) => {
                self.ended(row, "refused", None, Some(error.to_string())).await?;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        }
        let payment = self.records().payment(&row.payment).await?.and_then(|payment| payment.intent);
        let intent: PaymentId = kept(payment.as_deref().ok_or(PaymentError::NotFound("payment"))?)?;
        let charge = Cents::new(row.charge_cents).unwrap_or(Cents::ZERO);
        // After an outage it may be there. Stripe forgets a key some day, and its list does not.
        let before = self.stripe().refunds_of(&intent).await;
        let there =
            before.as_ref().ok().and_then(|found| found.iter().find(|sent| sent.order.as_deref() == Some(&row.id)));
        let sent = match there {
            Some(sent) => Ok(sent.clone()),
            None if before.is_ok() => self.stripe().refund(&intent, charge, &row.id).await,
            None => Err(CallError::Unknown("Stripe's refunds could not be listed".to_owned())),
        };
        match sent {
            Ok(sent) => self.sent(row, &intent, sent).await,
            Err(CallError::Refused(refusal)) => {
                self.ledger().end_refund(&reference(&row.id)?, RefundEnd::Failed, actor).await?;
                warn!(refund = %row.id, %refusal, "Stripe refused a refund: it is credit again");
                self.ended(row, "refused", None, Some(refusal.to_string())).await
            }
            // Left open: it is settled later, under the same names.
            Err(error) => {
                warn!(refund = %row.id, %error, "a refund is left open");
                Ok(row)
            }
        }
    }

    async fn sent(&self, row: RefundRow, intent: &PaymentId, sent: Sent) -> Result<RefundRow, PaymentError> {
        let end = match sent.status {
            RefundStatus::Pending => None,
            RefundStatus::Paid => Some((RefundEnd::Paid, "paid")),
            RefundStatus::Failed => Some((RefundEnd::Failed, "failed")),
        };
        if let Some((end, _)) = end {
            self.ledger().end_refund(&reference(&row.id)?, end, &Actor::Payments(Source::Stripe)).await?;
        }
        let state = end.map_or("open", |(_, state)| state);
        info!(refund = %row.id, %intent, state, "credit goes back");
        let row = self.ended(row, state, Some(sent.id.to_string()), None).await?;
        self.look(intent).await?;
        Ok(row)
    }

    async fn ended(
        &self,
        row: RefundRow,
        state: &str,
        refund: Option<String>,
        problem: Option<String>,
    ) -> Result<RefundRow, PaymentError> {
        let was = row.state.clone();
        let changed_at = self.now().as_millis();
        let row = RefundRow { state: state.to_owned(), refund, problem, changed_at, ..row };
        self.records().change_refund(&row, &was).await?;
        Ok(row)
    }

    /// Goes on with refunds that have been open for longer.
    pub(super) async fn settle_refunds(&self, than: Duration) -> Result<(), PaymentError> {
        for row in self.records().refunds_in("open", self.before(than), SOME).await? {
            let id = row.id.clone();
            if let Err(error) = self.push(row, &Actor::Payments(Source::Stripe)).await {
                warn!(refund = %id, %error, "a refund could not be settled");
            }
        }
        Ok(())
    }
}
