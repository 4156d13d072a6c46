//! Every call, and what is read of its answer.

use peerway_billing_stripe::{
    CallError, CallKey, CustomerId, DisputeStatus, NewCheckout, NewPayment, Payment, PaymentStatus, RefundStatus,
    StripeClient, StripeConfig,
};
use serde_json::{Value, json};

use crate::fake::{Fake, cents, checkout, now};

const PAYS: &str = "4242424242424242";

async fn paid(fake: &Fake, client: &StripeClient, card: &str) -> Payment {
    let customer = client.create_customer("acme", None).await.expect("a customer");
    let page = client.create_checkout(&checkout(&customer, "order1", 2_500)).await.expect("a page");
    fake.pay(page.id.as_str(), card);
    let page = client.checkout(&page.id).await.expect("the page");
    client.payment(&page.payment.expect("it was paid")).await.expect("the payment")
}

#[tokio::test]
async fn a_page_that_is_paid_leads_to_a_payment_that_says_whose_it_is() {
    let fake = Fake::start();
    let client = fake.client(StripeConfig::TIMEOUT);
    let customer = client.create_customer("acme", Some("money@acme.example")).await.expect("a customer");
    assert_eq!(client.create_customer("acme", Some("money@acme.example")).await, Ok(customer.clone()));
    let page = client.create_checkout(&checkout(&customer, "order1", 2_500)).await.expect("a page");
    assert!(page.open && page.url.is_some());
    assert_eq!(
        client.create_checkout(&checkout(&customer, "order1", 2_500)).await.expect("it"),
        page,
        "one key, one page"
    );

    fake.pay(page.id.as_str(), PAYS);
    let page = client.checkout(&page.id).await.expect("the page");
    assert!(!page.open);
    let payment = client.payment(&page.payment.expect("it was paid")).await.expect("the payment");
    assert_eq!((payment.status, payment.dollars), (PaymentStatus::Paid, true));
    assert_eq!((payment.received, payment.credit), (cents(2_500), Some(cents(2_500))));
    assert_eq!((payment.account.as_deref(), payment.order.as_deref()), (Some("acme"), Some("order1")));
    assert_eq!(payment.customer, Some(customer.clone()));
    let charge = payment.charge.expect("it was charged");
    assert!(!charge.failed && !charge.disputed && charge.refunded == cents(0));
    assert_eq!(charge.card.country.as_deref(), Some("US"));
    assert!(charge.card.fingerprint.is_some() && charge.risk.is_some());
    // The card was not saved, since nobody asked for it.
    assert_eq!(client.saved_card(&customer).await, Ok(None));
    let page = client.portal(&customer, "https://example.com/", &CallKey::new("portal", "1").expect("a key")).await;
    assert!(page.expect("a page").starts_with("http"));
}

#[tokio::test]
async fn taxes_come_on_top_of_the_credit() {
    let fake = Fake::start();
    let client = fake.client(StripeConfig::TIMEOUT);
    fake.knob("POST", "settings", &json!({"tax_percent": 19}));
    let customer = client.create_customer("acme", None).await.expect("a customer");
    let new = NewCheckout { tax: true, ..checkout(&customer, "order1", 1_000) };
    let page = client.create_checkout(&new).await.expect("a page");
    fake.pay(page.id.as_str(), PAYS);
    let found = client.payments_since(now() - 60, Some(&customer)).await.expect("a list");
    assert_eq!((found.found.len(), found.complete), (1, true));
    assert_eq!((found.found[0].received, found.found[0].credit), (cents(1_190), Some(cents(1_000))));
}

#[tokio::test]
async fn above_the_threshold_the_bank_is_asked() {
    let fake = Fake::start();
    let client = fake.client(StripeConfig::TIMEOUT);
    let customer = client.create_customer("acme", None).await.expect("a customer");
    let new = NewCheckout { ask_bank: true, ..checkout(&customer, "order1", 100_000) };
    let page = client.create_checkout(&new).await.expect("a page");
    let asked = &fake.knob("GET", "calls?method=POST&path=/v1/checkout", &Value::Null)["calls"][0]["params"];
    assert_eq!(asked["payment_method_options"]["card"]["request_three_d_secure"], "any", "{asked}");
    // A holder who says no has paid nothing.
    let no = json!({"card": "4000002500003155", "challenge": false});
    fake.turned("POST", &format!("checkout/{}/pay", page.id), &no).expect_err("it is declined");
    let found = client.payments_since(now() - 60, None).await.expect("a list").found;
    assert_eq!((found[0].status, found[0].received), (PaymentStatus::Open, cents(0)));
    fake.pay(page.id.as_str(), "4000002500003155");
    assert_eq!(client.payment(&found[0].id).await.expect("it").status, PaymentStatus::Paid);
}

fn saved(customer: &CustomerId, card: peerway_billing_stripe::CardId, order: &str) -> NewPayment {
    let (customer, credit) = (customer.clone(), cents(2_000));
    NewPayment {
        order: order.to_owned(),
        account: "acme".to_owned(),
        customer,
        card,
        credit,
        title: "Top-up".to_owned(),
    }
}

#[tokio::test]
async fn a_saved_card_pays_when_nobody_is_there_or_says_why_not() {
    let fake = Fake::start();
    let client = fake.client(StripeConfig::TIMEOUT);
    let customer = fake.customer_with(PAYS).await;
    let card = client.saved_card(&customer).await.expect("a list").expect("it was saved");
    let payment = client.charge_saved_card(&saved(&customer, card, "top1")).await.expect("it pays");
    assert_eq!((payment.status, payment.received), (PaymentStatus::Paid, cents(2_000)));
    assert_eq!(payment.order.as_deref(), Some("top1"));

    let fake = Fake::start();
    let client = fake.client(StripeConfig::TIMEOUT);
    let customer = fake.customer_with("4000002760003184").await;
    let card = client.saved_card(&customer).await.expect("a list").expect("it was saved");
    let Err(CallError::Refused(refusal)) = client.charge_saved_card(&saved(&customer, card, "top1")).await else {
        panic!("a bank that asks its holder is a decline")
    };
    assert!(refusal.is_decline() && !refusal.is_missing());
    assert_eq!(refusal.code.as_deref(), Some("authentication_required"));
    assert!(refusal.payment.is_some());
}

#[tokio::test]
async fn refunds_disputes_and_warnings_are_found_by_their_payment() {
    let fake = Fake::start();
    let client = fake.client(StripeConfig::TIMEOUT);
    let payment = paid(&fake, &client, PAYS).await.id;
    let refund = client.refund(&payment, cents(700), "back1").await.expect("a refund");
    assert_eq!((refund.status, refund.amount, refund.dollars), (RefundStatus::Paid, cents(700), true));
    assert_eq!(client.refund(&payment, cents(700), "back1").await.expect("it").id, refund.id, "one key, one refund");
    assert_eq!(client.refunds_of(&payment).await, Ok(vec![refund.clone()]));
    assert_eq!(client.refund_by_id(&refund.id).await.expect("it").order.as_deref(), Some("back1"));
    let Err(CallError::Refused(refusal)) = client.refund(&payment, cents(1_801), "back2").await else {
        panic!("more than was left was sent back")
    };
    assert_eq!(refusal.status, 400);

    let about = json!({"payment_intent": payment.as_str()});
    assert_eq!(client.disputes_of(&payment).await, Ok(vec![]));
    fake.knob("POST", "disputes", &about);
    let dispute = client.disputes_of(&payment).await.expect("a list").remove(0);
    assert_eq!((dispute.status, dispute.payment.as_ref()), (DisputeStatus::Open, Some(&payment)));
    fake.knob("POST", &format!("disputes/{}/close", dispute.id), &json!({"outcome": "won"}));
    assert_eq!(client.dispute(&dispute.id).await.expect("it").status, DisputeStatus::Won);

    fake.knob("POST", "early_fraud_warnings", &about);
    let warning = client.fraud_warnings_of(&payment).await.expect("a list").remove(0);
    assert_eq!(warning.payment, Some(payment));
    assert_eq!(client.fraud_warning(&warning.id).await.expect("it"), warning);
}

#[tokio::test]
async fn an_operator_is_paid_once_a_name() {
    let fake = Fake::start();
    let client = fake.client(StripeConfig::TIMEOUT);
    // What is paid out must be there at once.
    paid(&fake, &client, "4000000000000077").await;
    let operator = client.create_connected("op", "US").await.expect("an account");
    assert!(!operator.payouts);
    let key = CallKey::new("onboarding", "1").expect("a key");
    let page = client.onboarding(&operator.id, "https://example.com/", "https://example.com/", &key).await;
    assert!(page.expect("a page").starts_with("http"));
    fake.knob("POST", &format!("accounts/{}/onboard", operator.id), &Value::Null);
    assert!(client.connected(&operator.id).await.expect("it").payouts);
    let transfer = client.transfer(&operator.id, cents(1_000), "payout1").await.expect("a transfer");
    assert_eq!(client.transfer(&operator.id, cents(1_000), "payout1").await.expect("it"), transfer);
    assert_eq!((transfer.amount, transfer.reversed), (cents(1_000), cents(0)));
    assert_eq!(client.transfers_to(&operator.id, "payout1").await, Ok(vec![transfer]));
    assert_eq!(client.transfers_to(&operator.id, "payout2").await, Ok(vec![]));
}

#[tokio::test]
async fn a_list_of_many_pages_is_read_to_its_end() {
    let fake = Fake::start();
    let client = fake.client(StripeConfig::TIMEOUT);
    let customer = fake.customer_with(PAYS).await;
    let card = client.saved_card(&customer).await.expect("a list").expect("it was saved");
    for number in 0..104 {
        client.charge_saved_card(&saved(&customer, card.clone(), &format!("top{number}"))).await.expect("it pays");
    }
    let all = client.payments_since(now() - 3600, None).await.expect("a list");
    assert_eq!((all.found.len(), all.complete), (105, true));
    assert_eq!(all.found.last().and_then(|payment| payment.order.clone()).as_deref(), Some("first"));
}
