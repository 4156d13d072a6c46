//! The customer at Stripe that stands for an account here.

use stripe_billing::billing_portal_session::CreateBillingPortalSession;
use stripe_core::customer::CreateCustomer;
use stripe_payment::payment_method::{ListPaymentMethod, ListPaymentMethodType};

use crate::client::StripeClient;
use crate::error::CallError;
use crate::id::{CardId, CustomerId};
use crate::key::CallKey;
use crate::{name_of, tags};

impl StripeClient {
    /// Makes the customer of an account. Asked again for the same account within a day it is the same customer.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn create_customer(&self, account: &str, email: Option<&str>) -> Result<CustomerId, CallError> {
        let mut request = CreateCustomer::new().metadata(tags::of_account(account));
        if let Some(email) = email {
            request = request.email(email);
        }
        let customer = self.act(&request, &CallKey::new("customer", account)?).await?;
        name_of(customer.id.as_str())
    }

    /// The card that a customer saved last, to be charged when nobody is there.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn saved_card(&self, customer: &CustomerId) -> Result<Option<CardId>, CallError> {
        let request = ListPaymentMethod::new().customer(customer.as_str()).type_(ListPaymentMethodType::Card).limit(1);
        let cards = self.read(&request).await?;
        cards.data.first().map(|card| name_of(card.id.as_str())).transpose()
    }

    /// A page of Stripe's where a customer sees invoices and changes cards. The link works once and for some minutes.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn portal(&self, customer: &CustomerId, back: &str, key: &CallKey) -> Result<String, CallError> {
        let request = CreateBillingPortalSession::new().customer(customer.as_str()).return_url(back);
        Ok(self.act(&request, key).await?.url)
    }
}
