//! Payment pages: Stripe shows them, so no number of a card ever comes near us.

use stripe_checkout::checkout_session::{
    CreateCheckoutSession, CreateCheckoutSessionAutomaticTax, CreateCheckoutSessionCustomerUpdate,
    CreateCheckoutSessionCustomerUpdateAddress, CreateCheckoutSessionInvoiceCreation, CreateCheckoutSessionLineItems,
    CreateCheckoutSessionLineItemsPriceData, CreateCheckoutSessionLineItemsPriceDataTaxBehavior,
    CreateCheckoutSessionPaymentIntentData, CreateCheckoutSessionPaymentIntentDataSetupFutureUsage,
    CreateCheckoutSessionPaymentMethodOptions, CreateCheckoutSessionPaymentMethodOptionsCard,
    CreateCheckoutSessionPaymentMethodOptionsCardRequestThreeDSecure, ProductData, RetrieveCheckoutSession,
};
use stripe_shared::{CheckoutSession, CheckoutSessionId, CheckoutSessionMode, CheckoutSessionStatus};
use stripe_types::Currency;

use crate::cents::Cents;
use crate::client::StripeClient;
use crate::error::CallError;
use crate::id::{CustomerId, PaymentId, SessionId};
use crate::key::CallKey;
use crate::{name_of, tags};

/// What is to be bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCheckout {
    /// Our name for it; it is the idempotency key too.
    pub order: String,
    /// The account that gets the credit.
    pub account: String,
    /// The account's customer.
    pub customer: CustomerId,
    /// The credit, before taxes.
    pub credit: Cents,
    /// What the page and the invoice call it.
    pub title: String,
    /// Whether taxes come on top, by Stripe Tax. It must be set up at Stripe.
    pub tax: bool,
    /// Whether the bank is to ask the payer (3-D Secure) whatever Stripe thinks of the risk.
    pub ask_bank: bool,
    /// Whether the card is kept for payments when nobody is there.
    pub save_card: bool,
    /// When the page closes, in seconds since 1970: 30 minutes to 24 hours from now.
    pub expires_at: i64,
    /// Where the payer goes after paying.
    pub success_url: String,
    /// Where the payer goes who does not want to pay.
    pub cancel_url: String,
}

/// A payment page as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// Its name.
    pub id: SessionId,
    /// Where it is. `None` once it is closed.
    pub url: Option<String>,
    /// What was paid or tried. `None` until somebody tries.
    pub payment: Option<PaymentId>,
    /// Whether it is still open.
    pub open: bool,
}

impl StripeClient {
    /// Opens a payment page.
    ///
    /// # Errors
    /// See [`CallError`]. After [`CallError::Unknown`] the same order may be sent again: it is the same page.
    pub async fn create_checkout(&self, new: &NewCheckout) -> Result<Checkout, CallError> {
        view(self.act(&request(new), &CallKey::new("checkout", &new.order)?).await?)
    }

    /// A payment page as it stands now.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn checkout(&self, id: &SessionId) -> Result<Checkout, CallError> {
        view(self.read(&RetrieveCheckoutSession::new(CheckoutSessionId::from(id.as_str()))).await?)
    }
}

fn request(new: &NewCheckout) -> CreateCheckoutSession {
    let tags = tags::of_order(&new.account, &new.order, new.credit);
    let mut payment = CreateCheckoutSessionPaymentIntentData::new();
    payment.metadata = Some(tags.clone());
    payment.description = Some(new.title.clone());
    if new.save_card {
        payment.setup_future_usage = Some(CreateCheckoutSessionPaymentIntentDataSetupFutureUsage::OffSession);
    }
    let mut card = CreateCheckoutSessionPaymentMethodOptionsCard::new();
    card.request_three_d_secure = Some(if new.ask_bank {
        CreateCheckoutSessionPaymentMethodOptionsCardRequestThreeDSecure::Any
    } else {
        CreateCheckoutSessionPaymentMethodOptionsCardRequestThreeDSecure::Automatic
    });
    let mut options = CreateCheckoutSessionPaymentMethodOptions::new();
    options.card = Some(card);
    let mut request = CreateCheckoutSession::new()
        .mode(CheckoutSessionMode::Payment)
        .customer(new.customer.as_str())
        .client_reference_id(new.order.as_str())
        .line_items(vec![line(new)])
        .payment_intent_data(payment)
        .payment_method_options(options)
        .invoice_creation(CreateCheckoutSessionInvoiceCreation::new(true))
        .metadata(tags)
        .expires_at(new.expires_at)
        .success_url(new.success_url.as_str())
        .cancel_url(new.cancel_url.as_str());
    if new.tax {
        // Taxes depend on where the payer is; the customer has an address only if the page may write it there.
        let mut update = CreateCheckoutSessionCustomerUpdate::new();
        update.address = Some(CreateCheckoutSessionCustomerUpdateAddress::Auto);
        request = request.automatic_tax(CreateCheckoutSessionAutomaticTax::new(true)).customer_update(update);
    }
    request
}

fn line(new: &NewCheckout) -> CreateCheckoutSessionLineItems {
    let mut price = CreateCheckoutSessionLineItemsPriceData::new(Currency::USD);
    price.unit_amount = Some(new.credit.get());
    price.product_data = Some(ProductData::new(new.title.as_str()));
    price.tax_behavior = Some(CreateCheckoutSessionLineItemsPriceDataTaxBehavior::Exclusive);
    let mut line = CreateCheckoutSessionLineItems::new();
    line.price_data = Some(price);
    line.quantity = Some(1);
    line
}

fn view(session: CheckoutSession) -> Result<Checkout, CallError> {
    Ok(Checkout {
        id: name_of(session.id.as_str())?,
        url: session.url,
        payment: session.payment_intent.map(|payment| name_of(payment.id().as_str())).transpose()?,
        open: session.status == Some(CheckoutSessionStatus::Open),
    })
}
