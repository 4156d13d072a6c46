//! A payer's bank that takes money back.

use stripe_core::dispute::{ListDispute, RetrieveDispute};
use stripe_shared::{DisputeId as StripeDisputeId, DisputeStatus as Status};
use stripe_types::Currency;

use crate::cents::Cents;
use crate::client::StripeClient;
use crate::error::CallError;
use crate::id::{DisputeId, PaymentId};
use crate::list::PAGE;
use crate::name_of;
use crate::payment::cents;

/// How far a dispute has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisputeStatus {
    /// The bank asks; the money is still here.
    Inquiry,
    /// The money is with the bank until it decides.
    Open,
    /// It is here again.
    Won,
    /// It is gone.
    Lost,
}

/// A dispute as Stripe has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// Its name.
    pub id: DisputeId,
    /// The payment it belongs to.
    pub payment: Option<PaymentId>,
    /// How much.
    pub amount: Cents,
    /// Whether it is US dollars.
    pub dollars: bool,
    /// How far it is.
    pub status: DisputeStatus,
    /// Why, in the bank's words: `fraudulent`, `product_not_received`, …
    pub reason: String,
}

impl StripeClient {
    /// A dispute as it stands now.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn dispute(&self, id: &DisputeId) -> Result<Dispute, CallError> {
        view(self.read(&RetrieveDispute::new(StripeDisputeId::from(id.as_str()))).await?)
    }

    /// All disputes of a payment.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn disputes_of(&self, payment: &PaymentId) -> Result<Vec<Dispute>, CallError> {
        let page = self.read(&ListDispute::new().payment_intent(payment.as_str()).limit(PAGE)).await?;
        page.data.into_iter().map(view).collect()
    }
}

fn view(dispute: stripe_shared::Dispute) -> Result<Dispute, CallError> {
    Ok(Dispute {
        id: name_of(dispute.id.as_str())?,
        payment: dispute.payment_intent.map(|payment| name_of(payment.id().as_str())).transpose()?,
        amount: cents(dispute.amount)?,
        dollars: dispute.currency == Currency::USD,
        status: match dispute.status {
            Status::Won => DisputeStatus::Won,
            Status::Lost => DisputeStatus::Lost,
            Status::NeedsResponse | Status::UnderReview => DisputeStatus::Open,
            Status::Prevented | Status::WarningClosed | Status::WarningNeedsResponse | Status::WarningUnderReview => {
                DisputeStatus::Inquiry
            }
            other => {
                return Err(CallError::Unknown(format!("a dispute has the status {other}, which nobody here knows")));
            }
        },
        reason: dispute.reason,
    })
}
