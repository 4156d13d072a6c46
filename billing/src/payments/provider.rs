//! What is asked of the payment provider.
//!
//! The one seam between us and money that others keep: in production it is Stripe, in tests a provider that keeps its books in
//! memory and can be told to fall silent at any step.

use std::fmt::Debug;

use async_trait::async_trait;
use peerway_billing_stripe::{
    CallError, CallKey, CardId, Cents, Checkout, CustomerId, Dispute, FraudWarning, NewCheckout, NewPayment, Paged,
    Payment, PaymentId, Refund, SessionId, StripeClient, WarningId,
};

/// See the methods of [`StripeClient`], which these are.
#[async_trait]
pub(super) trait Provider: Debug + Send + Sync {
    async fn create_customer(&self, account: &str) -> Result<CustomerId, CallError>;
    async fn saved_card(&self, customer: &CustomerId) -> Result<Option<CardId>, CallError>;
    async fn portal(&self, customer: &CustomerId, back: &str, key: &CallKey) -> Result<String, CallError>;
    async fn create_checkout(&self, new: &NewCheckout) -> Result<Checkout, CallError>;
    async fn checkout(&self, id: &SessionId) -> Result<Checkout, CallError>;
    async fn payment(&self, id: &PaymentId) -> Result<Payment, CallError>;
    async fn payments_since(&self, since: i64, customer: Option<&CustomerId>) -> Result<Paged<Payment>, CallError>;
    async fn charge_saved_card(&self, new: &NewPayment) -> Result<Payment, CallError>;
    async fn refund(&self, payment: &PaymentId, amount: Cents, order: &str) -> Result<Refund, CallError>;
    async fn refunds_of(&self, payment: &PaymentId) -> Result<Vec<Refund>, CallError>;
    async fn disputes_of(&self, payment: &PaymentId) -> Result<Vec<Dispute>, CallError>;
    async fn fraud_warning(&self, id: &WarningId) -> Result<FraudWarning, CallError>;
    async fn fraud_warnings_of(&self, payment: &PaymentId) -> Result<Vec<FraudWarning>, CallError>;
}

#[async_trait]
impl Provider for StripeClient {
    async fn create_customer(&self, account: &str) -> Result<CustomerId, CallError> {
        self.create_customer(account, None).await
    }

    async fn saved_card(&self, customer: &CustomerId) -> Result<Option<CardId>, CallError> {
        self.saved_card(customer).await
    }

    async fn portal(&self, customer: &CustomerId, back: &str, key: &CallKey) -> Result<String, CallError> {
        self.portal(customer, back, key).await
    }

    async fn create_checkout(&self, new: &NewCheckout) -> Result<Checkout, CallError> {
        self.create_checkout(new).await
    }

    async fn checkout(&self, id: &SessionId) -> Result<Checkout, CallError> {
        self.checkout(id).await
    }

    async fn payment(&self, id: &PaymentId) -> Result<Payment, CallError> {
        self.payment(id).await
    }

    async fn payments_since(&self, since: i64, customer: Option<&CustomerId>) -> Result<Paged<Payment>, CallError> {
        self.payments_since(since, customer).await
    }

    async fn charge_saved_card(&self, new: &NewPayment) -> Result<Payment, CallError> {
        self.charge_saved_card(new).await
    }

    async fn refund(&self, payment: &PaymentId, amount: Cents, order: &str) -> Result<Refund, CallError> {
        self.refund(payment, amount, order).await
    }

    async fn refunds_of(&self, payment: &PaymentId) -> Result<Vec<Refund>, CallError> {
        self.refunds_of(payment).await
    }

    async fn disputes_of(&self, payment: &PaymentId) -> Result<Vec<Dispute>, CallError> {
        self.disputes_of(payment).await
    }

    async fn fraud_warning(&self, id: &WarningId) -> Result<FraudWarning, CallError> {
        self.fraud_warning(id).await
    }

    async fn fraud_warnings_of(&self, payment: &PaymentId) -> Result<Vec<FraudWarning>, CallError> {
        self.fraud_warnings_of(payment).await
    }
}
