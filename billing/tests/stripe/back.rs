//! Money that goes back: by us, past us, and by a bank.

use std::time::Duration;

use peerway_billing::payments::{AskedBack, PaymentError, PaymentState};
use peerway_billing::{Actor, LedgerError};
use serde_json::json;

use super::desk::{Desk, HOUR, PAYS, rules, usd};

fn asked(desk: &Desk, payment: &str, cents: Option<i64>) -> AskedBack {
    let amount = cents.map(usd);
    AskedBack { account: desk.account.clone(), payment: payment.to_owned(), amount, name: None }
}

fn refunded(desk: &Desk) -> i64 {
    desk.fake.knob("GET", "totals", &json!(null))["usd"]["refunded"].as_i64().unwrap()
}

#[tokio::test]
async fn unused_credit_goes_back_once_and_not_more_than_is_left() {
    let desk = Desk::open(rules()).await;
    desk.buy(2_000).await;
    let payment = desk.newest().await.id;
    let back = desk.payments.send_back(&asked(&desk, &payment, Some(500)), &Actor::Operator).await.unwrap();
    assert_eq!((back.state.as_str(), back.amount, back.charge), ("paid", usd(500), usd(500)));
    assert_eq!((desk.posted().await, refunded(&desk)), (usd(1_500), 500));
    let too_much = desk.payments.send_back(&asked(&desk, &payment, Some(1_501)), &Actor::Operator).await;
    assert!(matches!(too_much, Err(PaymentError::Invalid { field: "amount", .. })), "{too_much:?}");
    let mut named = asked(&desk, &payment, None);
    named.name = Some("rest".to_owned());
    let rest = desk.payments.send_back(&named, &Actor::Operator).await.unwrap();
    assert_eq!(desk.payments.send_back(&named, &Actor::Operator).await.unwrap(), rest);
    assert_eq!((desk.posted().await, refunded(&desk)), (usd(0), 2_000));
    assert_eq!(desk.newest().await.refunded, usd(2_000));
    desk.reconcile().await;
    assert_eq!(desk.posted().await, usd(0));
    desk.sound().await;
}

#[tokio::test]
async fn spent_credit_does_not_go_back() {
    let desk = Desk::open(rules()).await;
    desk.buy(2_000).await;
    let payment = desk.newest().await.id;
    // What another payment bought is no less spent.
    let refund = peerway_billing::Refund {
        account: desk.account.clone(),
        amount: usd(1_500),
        source: peerway_billing::Source::Stripe,
        reference: "spent".parse().unwrap(),
        memo: String::new(),
    };
    desk.ledger.refund(refund, &Actor::Operator).await.unwrap();
    let refused = desk.payments.send_back(&asked(&desk, &payment, None), &Actor::Operator).await;
    assert!(matches!(refused, Err(PaymentError::Ledger(LedgerError::Insufficient { .. }))), "{refused:?}");
    assert_eq!((desk.posted().await, refunded(&desk)), (usd(500), 0));
    desk.sound().await;
}

#[tokio::test]
async fn a_refund_that_stripe_did_not_answer_is_settled_once() {
    for mode in ["drop", "drop_after", "error_after"] {
        let desk = Desk::open(rules()).await;
        desk.buy(2_000).await;
        let payment = desk.newest().await.id;
        let outage = json!({"mode": mode, "count": 1, "status": 500, "method": "POST", "path": "/v1/refunds"});
        desk.fake.knob("POST", "outage", &outage);
        let back = desk.payments.send_back(&asked(&desk, &payment, Some(500)), &Actor::Operator).await.unwrap();
        assert_eq!((back.state.as_str(), desk.posted().await), ("open", usd(1_500)), "{mode}");
        desk.clock.advance(Duration::from_secs(61));
        for _ in 0..2 {
            desk.reconcile().await;
        }
        let settled = desk.payments.sent_back(&desk.account, 10).await.unwrap();
        assert_eq!((settled.len(), settled[0].state.as_str()), (1, "paid"), "{mode}");
        assert_eq!((desk.posted().await, refunded(&desk)), (usd(1_500), 500), "{mode}");
        desk.sound().await;
    }
}

#[tokio::test]
async fn a_refund_that_fails_is_credit_again() {
    let desk = Desk::open(rules()).await;
    desk.pay(2_000, "4000000000005126").await;
    desk.reconcile().await;
    let payment = desk.newest().await.id;
    desk.payments.send_back(&asked(&desk, &payment, None), &Actor::Operator).await.unwrap();
    assert_eq!(desk.posted().await, usd(0));
    desk.later(Duration::from_secs(120));
    desk.reconcile().await;
    desk.reconcile().await;
    assert_eq!(desk.posted().await, usd(2_000));
    desk.sound().await;
}

#[tokio::test]
async fn a_refund_made_at_stripe_before_we_heard_of_the_payment() {
    let desk = Desk::open(rules()).await;
    let intent = desk.pay(2_000, PAYS).await;
    desk.fake.refund_in_dashboard(intent.as_str(), 700);
    // Whatever is told first, and how often.
    for _ in 0..3 {
        desk.payments.look(&intent).await.unwrap();
    }
    assert_eq!((desk.posted().await, desk.newest().await.refunded), (usd(1_300), usd(700)));
    desk.sound().await;
}

#[tokio::test]
async fn a_refund_made_at_stripe_of_spent_credit_is_owed() {
    let desk = Desk::open(rules()).await;
    let intent = desk.buy(2_000).await;
    let spent = peerway_billing::Refund {
        account: desk.account.clone(),
        amount: usd(1_500),
        source: peerway_billing::Source::Stripe,
        reference: "spent".parse().unwrap(),
        memo: String::new(),
    };
    desk.ledger.refund(spent, &Actor::Operator).await.unwrap();
    desk.fake.refund_in_dashboard(intent.as_str(), 2_000);
    // Leases may come back yet.
    assert!(matches!(desk.payments.look(&intent).await, Err(PaymentError::Conflict(_))));
    desk.later(Duration::from_secs(200));
    for _ in 0..2 {
        desk.payments.look(&intent).await.unwrap();
    }
    let account = desk.state().await;
    assert_eq!((account.balance.posted, account.frozen), (usd(-1_500), true));
    desk.sound().await;
}

#[tokio::test]
async fn a_dispute_takes_the_money_and_freezes_until_it_is_won() {
    let desk = Desk::open(rules()).await;
    let intent = desk.buy(2_000).await;
    let dispute = desk.fake.knob("POST", "disputes", &Desk::about(&intent));
    for _ in 0..2 {
        desk.payments.look(&intent).await.unwrap();
    }
    let account = desk.state().await;
    assert_eq!((account.balance.posted, account.frozen), (usd(0), true));
    assert_eq!(desk.newest().await.state, PaymentState::Disputed);
    let close = format!("disputes/{}/close", dispute["id"].as_str().unwrap());
    desk.fake.knob("POST", &close, &json!({"outcome": "won"}));
    // Nobody told: a dispute is asked for.
    desk.later(2 * HOUR);
    desk.reconcile().await;
    let account = desk.state().await;
    assert_eq!((account.balance.posted, account.frozen), (usd(2_000), false));
    assert_eq!(desk.newest().await.state, PaymentState::Paid);
    desk.sound().await;
}

#[tokio::test]
async fn a_lost_dispute_of_spent_credit_is_owed() {
    let desk = Desk::open(rules()).await;
    let intent = desk.buy(2_000).await;
    let payment = desk.newest().await.id;
    desk.payments.send_back(&asked(&desk, &payment, Some(1_000)), &Actor::Operator).await.unwrap();
    let about = json!({"payment_intent": intent.as_str(), "amount": 1_000});
    let dispute = desk.fake.knob("POST", "disputes", &about);
    desk.fake.knob("POST", &format!("disputes/{}/close", dispute["id"].as_str().unwrap()), &json!({"outcome": "lost"}));
    for _ in 0..2 {
        desk.payments.look(&intent).await.unwrap();
    }
    let account = desk.state().await;
    assert_eq!((account.balance.posted, account.frozen, account.disputes), (usd(0), true, 0));
    desk.sound().await;
}
