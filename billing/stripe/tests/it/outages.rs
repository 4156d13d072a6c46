//! What is known after a call that failed, and what is not.

use std::time::Duration;

use peerway_billing_stripe::{CallError, StripeClient, StripeConfig};
use serde_json::json;

use crate::fake::{Fake, cents, checkout, now};

/// Long enough for a call on a busy machine, short enough to wait for.
const SHORT: Duration = Duration::from_secs(3);

#[tokio::test]
async fn what_may_have_been_done_is_not_called_refused() {
    let fake = Fake::start();
    let client = fake.client(SHORT);
    let customer = client.create_customer("acme", None).await.expect("a customer");
    for (number, mode) in ["error", "error_after", "drop", "drop_after", "hang", "hang_after"].into_iter().enumerate() {
        fake.knob("POST", "outage", &json!({"mode": mode, "count": 1, "status": 500, "method": "POST"}));
        let new = checkout(&customer, &format!("order{number}"), 1_000);
        let failed = client.create_checkout(&new).await;
        assert!(matches!(failed, Err(CallError::Unknown(_))), "{mode}: {failed:?}");
        fake.knob("DELETE", "outage", &json!(null));
    }
}

#[tokio::test]
async fn the_same_name_after_an_outage_is_the_same_payment() {
    let fake = Fake::start();
    let client = fake.client(SHORT);
    let customer = client.create_customer("acme", None).await.expect("a customer");
    let new = checkout(&customer, "order1", 1_000);
    fake.knob("POST", "outage", &json!({"mode": "drop_after", "count": 1, "method": "POST"}));
    assert!(matches!(client.create_checkout(&new).await, Err(CallError::Unknown(_))));
    let page = client.create_checkout(&new).await.expect("it was made before");
    assert_eq!(fake.worked("/v1/checkout/sessions"), 1);
    assert!(page.open);
}

#[tokio::test]
async fn a_charge_of_unknown_end_is_found_by_its_name() {
    let fake = Fake::start();
    let client = fake.client(SHORT);
    let customer = fake.customer_with("4242424242424242").await;
    let card = client.saved_card(&customer).await.expect("a list").expect("it was saved");
    let new = peerway_billing_stripe::NewPayment {
        order: "top1".to_owned(),
        account: "acme".to_owned(),
        customer: customer.clone(),
        card,
        credit: cents(2_000),
        title: "Top-up".to_owned(),
    };
    // Stripe remembers its own 500 under the key: only a look tells.
    fake.knob("POST", "outage", &json!({"mode": "error_after", "count": 1, "status": 500, "method": "POST"}));
    assert!(matches!(client.charge_saved_card(&new).await, Err(CallError::Unknown(_))));
    assert!(matches!(client.charge_saved_card(&new).await, Err(CallError::Unknown(_))), "the key remembers");
    let found = client.payments_since(now() - 60, Some(&customer)).await.expect("a list").found;
    let ours: Vec<_> = found.iter().filter(|payment| payment.order.as_deref() == Some("top1")).collect();
    assert_eq!(ours.len(), 1);
    assert_eq!(ours[0].received, cents(2_000));
}

#[tokio::test]
async fn a_wrong_key_too_many_calls_and_what_is_missing_are_told_apart() {
    let fake = Fake::start();
    let client = fake.client(SHORT);
    fake.knob("POST", "outage", &json!({"mode": "error", "count": 1, "status": 429}));
    assert_eq!(client.create_customer("acme", None).await, Err(CallError::Busy));
    let Err(CallError::Refused(refusal)) = client.payment(&"pi_none".parse().expect("a name")).await else {
        panic!("what is not there was found")
    };
    assert!(refusal.is_missing());

    let secret_key = "sk_live_of_nobody".to_owned();
    let stranger = StripeConfig { secret_key, base: Some(fake.base.clone()), timeout: SHORT };
    assert!(!format!("{stranger:?}").contains("sk_live"), "the key is shown");
    let stranger = StripeClient::new(stranger).expect("it is usable");
    assert!(matches!(stranger.create_customer("acme", None).await, Err(CallError::Barred(_))));

    let nobody = StripeConfig {
        secret_key: "sk_test_x".to_owned(),
        base: Some("http://127.0.0.1:9".to_owned()),
        timeout: SHORT,
    };
    let nobody = StripeClient::new(nobody).expect("it is usable");
    assert!(matches!(nobody.create_customer("acme", None).await, Err(CallError::Unknown(_))));
}
