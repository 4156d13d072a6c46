//! Money on its way back to the payer.

use stripe_core::refund::{CreateRefund, ListRefund, RetrieveRefund};
use stripe_shared::RefundId as StripeRefundId;
use stripe_types::Currency;

use crate::cents::Cents;
use crate::client::StripeClient;
use crate::error::CallError;
use crate::id::{PaymentId, RefundId};
use crate::key::CallKey;
use crate::list::PAGE;
use crate::payment::cents;
use crate::{name_of, tags};

/// How far a refund has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundStatus {
    /// On its way.
    Pending,
    /// With the payer.
    Paid,
    /// It could not be sent; the money is with us again.
    Failed,
}

/// A refund as Stripe has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Its name.
    pub id: RefundId,
    /// The payment it belongs to.
    pub payment: Option<PaymentId>,
    /// How much, taxes included.
    pub amount: Cents,
    /// Whether it is US dollars.
    pub dollars: bool,
    /// How far it is.
    pub status: RefundStatus,
    /// Our name for it. `None`: somebody made it in Stripe's dashboard.
    pub order: Option<String>,
    /// When, in seconds since 1970.
    pub created: i64,
}

impl StripeClient {
    /// Sends a part of a payment back. `order` is our name for it and the idempotency key.
    ///
    /// # Errors
    /// After [`CallError::Unknown`] look for the order with [`Self::refunds_of`].
    pub async fn refund(&self, payment: &PaymentId, amount: Cents, order: &str) -> Result<Refund, CallError> {
        let request =
            CreateRefund::new().payment_intent(payment.as_str()).amount(amount.get()).metadata(tags::of_refund(order));
        view(self.act(&request, &CallKey::new("refund", order)?).await?)
    }

    /// A refund as it stands now.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn refund_by_id(&self, id: &RefundId) -> Result<Refund, CallError> {
        view(self.read(&RetrieveRefund::new(StripeRefundId::from(id.as_str()))).await?)
    }

    /// All refunds of a payment, whoever made them. A payment has fewer than a hundred.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn refunds_of(&self, payment: &PaymentId) -> Result<Vec<Refund>, CallError> {
        let page = self.read(&ListRefund::new().payment_intent(payment.as_str()).limit(PAGE)).await?;
        page.data.into_iter().map(view).collect()
    }
}

fn view(refund: stripe_shared::Refund) -> Result<Refund, CallError> {
    Ok(Refund {
        id: name_of(refund.id.as_str())?,
        payment: refund.payment_intent.map(|payment| name_of(payment.id().as_str())).transpose()?,
        amount: cents(refund.amount)?,
        dollars: refund.currency == Currency::USD,
        status: match refund.status.as_deref() {
            Some("succeeded") => RefundStatus::Paid,
            Some("failed" | "canceled") => RefundStatus::Failed,
            _ => RefundStatus::Pending,
        },
        order: refund.metadata.as_ref().and_then(tags::refund),
        created: refund.created,
    })
}
