//! A saved card that is charged when credit runs low.

use std::time::Duration;

use peerway_billing::payments::{PaymentError, PaymentState};
use serde_json::json;

use super::desk::{Desk, PAYS, rules, settings, usd};

/// An account with ten dollars and a saved card, of which the threshold is thirty.
async fn low(card: &str, monthly: i64) -> Desk {
    let desk = Desk::open(rules()).await;
    desk.pay(1_000, card).await;
    desk.reconcile().await;
    desk.payments.set_top_up(&desk.account, &settings(monthly)).await.unwrap();
    desk
}

fn charged(desk: &Desk) -> usize {
    desk.fake.worked("/v1/payment_intents")
}

#[tokio::test]
async fn it_is_bought_once_at_a_time_until_there_is_enough() {
    let desk = low(PAYS, 100_000).await;
    let many = (0..8).map(|_| {
        let payments = desk.payments.clone();
        tokio::spawn(async move { payments.recharge().await })
    });
    for one in many.collect::<Vec<_>>() {
        one.await.unwrap().unwrap();
    }
    assert_eq!((desk.posted().await, charged(&desk)), (usd(3_000), 1));
    desk.payments.recharge().await.unwrap();
    assert_eq!((desk.posted().await, charged(&desk)), (usd(3_000), 1), "there is enough");
    assert_eq!(desk.newest().await.kind, "top_up");
    desk.sound().await;
}

#[tokio::test]
async fn a_month_costs_no_more_than_its_cap() {
    let desk = low(PAYS, 2_000).await;
    desk.payments.recharge().await.unwrap();
    let mut higher = settings(2_000);
    higher.threshold = usd(100_000);
    desk.payments.set_top_up(&desk.account, &higher).await.unwrap();
    desk.payments.recharge().await.unwrap();
    assert_eq!((desk.posted().await, charged(&desk)), (usd(3_000), 1));
    let top_up = desk.payments.top_up(&desk.account).await.unwrap().unwrap();
    assert!(top_up.problem.unwrap().contains("month"));
    desk.sound().await;
}

#[tokio::test]
async fn a_declined_card_rests() {
    let desk = low(PAYS, 100_000).await;
    desk.fake.knob(
        "POST",
        "outage",
        &json!({"mode": "error", "count": 1, "status": 429, "path": "/v1/payment_intents"}),
    );
    desk.payments.recharge().await.unwrap();
    let top_up = desk.payments.top_up(&desk.account).await.unwrap().unwrap();
    assert_eq!((top_up.enabled, top_up.declines), (true, 0), "being busy is no decline");
    assert!(top_up.not_before.is_some());
    desk.later(Duration::from_secs(61));
    desk.payments.recharge().await.unwrap();
    assert_eq!(desk.posted().await, usd(3_000));

    // Saved by a payment that its holder agreed to; every later one asks the holder again.
    let desk = low("4000002760003184", 100_000).await;
    desk.payments.recharge().await.unwrap();
    let top_up = desk.payments.top_up(&desk.account).await.unwrap().unwrap();
    assert_eq!((top_up.enabled, top_up.declines), (false, 1), "the customer is asked");
    assert_eq!((desk.posted().await, desk.newest().await.state), (usd(1_000), PaymentState::Canceled));
}

#[tokio::test]
async fn a_charge_of_which_nobody_heard_is_found_and_not_repeated() {
    for mode in ["drop", "drop_after", "error_after"] {
        let desk = low(PAYS, 100_000).await;
        let outage = json!({"mode": mode, "count": 1, "status": 500, "method": "POST", "path": "/v1/payment_intents"});
        desk.fake.knob("POST", "outage", &outage);
        desk.payments.recharge().await.unwrap();
        assert_eq!(desk.posted().await, usd(1_000), "{mode}");
        desk.payments.recharge().await.unwrap();
        desk.later(Duration::from_secs(121));
        for _ in 0..2 {
            desk.reconcile().await;
            desk.payments.recharge().await.unwrap();
        }
        assert_eq!((desk.posted().await, charged(&desk)), (usd(3_000), 1), "{mode}");
        desk.sound().await;
    }
}

#[tokio::test]
async fn without_a_card_it_cannot_be_on() {
    let desk = Desk::open(rules()).await;
    let refused = desk.payments.set_top_up(&desk.account, &settings(100_000)).await;
    assert!(matches!(refused, Err(PaymentError::Invalid { field: "enabled", .. })), "{refused:?}");
    let mut little = settings(1_999);
    little.enabled = false;
    let refused = desk.payments.set_top_up(&desk.account, &little).await;
    assert!(matches!(refused, Err(PaymentError::Invalid { field: "monthly_limit", .. })), "{refused:?}");
}
