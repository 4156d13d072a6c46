//! Payments: what came in, and charging a saved card when nobody is there.

use stripe_core::payment_intent::{
    CreatePaymentIntent, CreatePaymentIntentOffSession, ListPaymentIntent, RetrievePaymentIntent,
};
use stripe_shared::{Charge, ChargeStatus, PaymentIntent, PaymentIntentId, PaymentIntentStatus};
use stripe_types::{Currency, RangeQueryTs};

use crate::cents::Cents;
use crate::client::StripeClient;
use crate::error::CallError;
use crate::id::{CardId, ChargeId, CustomerId, PaymentId};
use crate::key::CallKey;
use crate::list::{MOST_PAGES, PAGE, Paged};
use crate::{name_of, tags};

/// How far a payment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentStatus {
    /// The money is with Stripe.
    Paid,
    /// The payer, the bank or Stripe has something to do yet.
    Open,
    /// Nothing will come of it.
    Canceled,
}

/// The card behind a payment, as far as Stripe tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Card {
    /// The same for the same number, whoever pays with it.
    pub fingerprint: Option<String>,
    /// Where it was issued: two letters.
    pub country: Option<String>,
}

/// The last try to take a payment's money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCharge {
    /// Its name.
    pub id: ChargeId,
    /// Whether it was declined.
    pub failed: bool,
    /// What of it went back.
    pub refunded: Cents,
    /// Whether it was ever disputed.
    pub disputed: bool,
    /// With what it was paid.
    pub card: Card,
    /// What Stripe thinks of it: `normal`, `elevated`, `highest`.
    pub risk: Option<String>,
}

/// A payment as Stripe has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its name.
    pub id: PaymentId,
    /// How far it is.
    pub status: PaymentStatus,
    /// Whether the money is US dollars. What is not is never credited.
    pub dollars: bool,
    /// What was to be paid, taxes included, in the smallest unit of its currency.
    pub amount: Cents,
    /// What was paid.
    pub received: Cents,
    /// Who paid.
    pub customer: Option<CustomerId>,
    /// The account that we wrote on it.
    pub account: Option<String>,
    /// Our name for it. `None` for one that was not begun by us.
    pub order: Option<String>,
    /// The credit that we wrote on it.
    pub credit: Option<Cents>,
    /// The last try.
    pub charge: Option<LastCharge>,
    /// When it was begun, in seconds since 1970.
    pub created: i64,
}

/// A payment with a saved card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayment {
    /// Our name for it; it is the idempotency key too.
    pub order: String,
    /// The account that gets the credit.
    pub account: String,
    /// The account's customer.
    pub customer: CustomerId,
    /// The card.
    pub card: CardId,
    /// How much.
    pub credit: Cents,
    /// What the payer's statement and mail call it.
    pub title: String,
}

impl StripeClient {
    /// A payment as it stands now, with its last try.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn payment(&self, id: &PaymentId) -> Result<Payment, CallError> {
        let request = RetrievePaymentIntent::new(PaymentIntentId::from(id.as_str())).expand(latest("latest_charge"));
        view(self.read(&request).await?)
    }

    /// The payments of a customer, or of all, that were begun at `since` (seconds since 1970) or later; the newest first.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn payments_since(&self, since: i64, customer: Option<&CustomerId>) -> Result<Paged<Payment>, CallError> {
        let mut found = Vec::new();
        for _ in 0..MOST_PAGES {
            let mut request = ListPaymentIntent::new()
                .created(RangeQueryTs::gte(since))
                .limit(PAGE)
                .expand(latest("data.latest_charge"));
            if let Some(customer) = customer {
                request = request.customer(customer.as_str());
            }
            if let Some(Payment { id, .. }) = found.last() {
                request = request.starting_after(id.as_str());
            }
            let page = self.read(&request).await?;
            for payment in page.data {
                found.push(view(payment)?);
            }
            if !page.has_more {
                return Ok(Paged { found, complete: true });
            }
        }
        Ok(Paged { found, complete: false })
    }

    /// Charges a saved card at once. The payer is not there to be asked, so a bank that asks is a decline.
    ///
    /// # Errors
    /// [`CallError::Refused`] for a decline. After [`CallError::Unknown`] look for the order with [`Self::payments_since`].
    pub async fn charge_saved_card(&self, new: &NewPayment) -> Result<Payment, CallError> {
        let request = CreatePaymentIntent::new(new.credit.get(), Currency::USD)
            .customer(new.customer.as_str())
            .payment_method(new.card.as_str())
            .off_session(CreatePaymentIntentOffSession::Bool(true))
            .confirm(true)
            .description(new.title.as_str())
            .metadata(tags::of_order(&new.account, &new.order, new.credit))
            .expand(latest("latest_charge"));
        view(self.act(&request, &CallKey::new("payment", &new.order)?).await?)
    }
}

fn latest(charge: &str) -> Vec<String> {
    vec![charge.to_owned()]
}

fn view(payment: PaymentIntent) -> Result<Payment, CallError> {
    let charge = payment.latest_charge.and_then(stripe_types::Expandable::into_object);
    Ok(Payment {
        id: name_of(payment.id.as_str())?,
        status: match payment.status {
            PaymentIntentStatus::Succeeded => PaymentStatus::Paid,
            PaymentIntentStatus::Canceled => PaymentStatus::Canceled,
            _ => PaymentStatus::Open,
        },
        dollars: payment.currency == Currency::USD,
        amount: cents(payment.amount)?,
        received: cents(payment.amount_received)?,
        customer: payment.customer.map(|customer| name_of(customer.id().as_str())).transpose()?,
        account: tags::account(&payment.metadata),
        order: tags::order(&payment.metadata),
        credit: tags::credit(&payment.metadata),
        charge: charge.map(view_charge).transpose()?,
        created: payment.created,
    })
}

fn view_charge(charge: Charge) -> Result<LastCharge, CallError> {
    let card = charge.payment_method_details.and_then(|details| details.card);
    Ok(LastCharge {
        id: name_of(charge.id.as_str())?,
        failed: charge.status == ChargeStatus::Failed,
        refunded: cents(charge.amount_refunded)?,
        disputed: charge.disputed,
        card: card.map(|card| Card { fingerprint: card.fingerprint, country: card.country }).unwrap_or_default(),
        risk: charge.outcome.and_then(|outcome| outcome.risk_level),
    })
}

pub(crate) fn cents(amount: i64) -> Result<Cents, CallError> {
    Cents::new(amount).ok_or_else(|| CallError::Unknown(format!("Stripe tells an amount below nothing: {amount}")))
}
