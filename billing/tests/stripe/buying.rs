//! Credit that is bought: once, whoever tells of it and how often, and not before it is paid.

use peerway_billing::payments::{PaymentError, PaymentRules, PaymentState};
use serde_json::json;

use super::desk::{Desk, HOUR, PAYS, rules, usd};

#[tokio::test]
async fn a_paid_page_is_credited_once() {
    let desk = Desk::open(rules()).await;
    let page = desk.payments.open_page(&desk.new_page(2_500)).await.unwrap();
    desk.reconcile().await;
    assert_eq!((desk.posted().await, desk.newest().await.state), (usd(0), PaymentState::Open));
    let intent = desk.settle(&page, PAYS);
    let looks = (0..20).map(|_| {
        let (payments, intent) = (desk.payments.clone(), intent.clone());
        tokio::spawn(async move { payments.look(&intent).await })
    });
    for look in looks.collect::<Vec<_>>() {
        // Who comes second while the first decides is told to look again.
        assert!(matches!(look.await.unwrap(), Ok(()) | Err(PaymentError::Conflict(_))));
    }
    desk.reconcile().await;
    assert_eq!((desk.posted().await, desk.newest().await.state), (usd(2_500), PaymentState::Paid));
    assert_eq!(desk.newest().await.id, page.payment);
    desk.sound().await;
}

#[tokio::test]
async fn taxes_are_no_credit() {
    let desk = Desk::open(PaymentRules { tax: true, ..rules() }).await;
    desk.fake.knob("POST", "settings", &json!({"tax_percent": 19}));
    desk.buy(1_000).await;
    assert_eq!(desk.posted().await, usd(1_000));
    assert_eq!(desk.fake.knob("GET", "totals", &json!(null))["usd"]["succeeded"], 1_190);
    desk.sound().await;
}

#[tokio::test]
async fn a_name_is_a_page_and_an_amount_has_bounds() {
    let desk = Desk::open(rules()).await;
    let named = |cents| {
        let mut new = desk.new_page(cents);
        new.name = Some("mine".to_owned());
        new
    };
    let first = desk.payments.open_page(&named(1_000)).await.unwrap();
    assert_eq!(desk.payments.open_page(&named(1_000)).await.unwrap(), first);
    assert!(matches!(desk.payments.open_page(&named(2_000)).await, Err(PaymentError::NameUsed)));
    for wrong in [0, 499, 1_000_001] {
        let refused = desk.payments.open_page(&desk.new_page(wrong)).await;
        assert!(matches!(refused, Err(PaymentError::Invalid { field: "amount", .. })), "{wrong}: {refused:?}");
    }
    let mut crooked = desk.new_page(1_000);
    crooked.success_url = "http://elsewhere.example/".to_owned();
    let refused = desk.payments.open_page(&crooked).await;
    assert!(matches!(refused, Err(PaymentError::Invalid { field: "success_url", .. })), "{refused:?}");
}

#[tokio::test]
async fn a_new_account_pays_little_in_a_day_and_stolen_cards_end_it() {
    let desk = Desk::open(rules()).await;
    desk.buy(60_000).await;
    let refused = desk.payments.open_page(&desk.new_page(50_000)).await;
    assert!(matches!(refused, Err(PaymentError::TooMuch(_))), "{refused:?}");
    desk.later(25 * HOUR);
    let page = desk.payments.open_page(&desk.new_page(1_000)).await.unwrap();
    let url = page.url.unwrap();
    let session = url.split(['/', '?', '#']).find(|part| part.starts_with("cs_")).unwrap();
    for _ in 0..5 {
        let pay = format!("checkout/{session}/pay");
        desk.fake.turned("POST", &pay, &json!({"card": "4000000000000002"})).expect_err("it is declined");
        desk.reconcile().await;
    }
    let refused = desk.payments.open_page(&desk.new_page(1_000)).await;
    assert!(matches!(&refused, Err(PaymentError::TooMuch(why)) if why.contains("declined")), "{refused:?}");
    assert_eq!(desk.posted().await, usd(60_000));
}

#[tokio::test]
async fn what_is_unusual_waits_for_a_person_who_is_told_why() {
    let desk = Desk::open(PaymentRules { review_from: 10, ..rules() }).await;
    desk.pay(50_000, PAYS).await;
    desk.reconcile().await;
    let waiting = desk.payments.waiting().await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert!(waiting[0].1.reasons.iter().any(|reason| reason.contains("usual amount")), "{waiting:?}");
    desk.reconcile().await;
    assert_eq!((desk.posted().await, desk.newest().await.state), (usd(0), PaymentState::Review));
    for _ in 0..2 {
        desk.payments.release(&waiting[0].1.id).await.unwrap();
    }
    assert_eq!((desk.posted().await, desk.newest().await.state), (usd(50_000), PaymentState::Paid));
    assert!(matches!(desk.payments.refuse(&waiting[0].1.id).await, Err(PaymentError::Conflict(_))));

    desk.sound().await;

    // The other decision: the money goes back whole, and was never credit.
    let desk = Desk::open(PaymentRules { review_from: 10, ..rules() }).await;
    let page = desk.payments.open_page(&desk.new_page(50_000)).await.unwrap();
    desk.settle(&page, PAYS);
    desk.reconcile().await;
    for _ in 0..2 {
        desk.payments.refuse(&page.payment).await.unwrap();
        desk.reconcile().await;
    }
    assert_eq!((desk.posted().await, desk.newest().await.state), (usd(0), PaymentState::Refused));
    assert_eq!(desk.fake.knob("GET", "totals", &json!(null))["usd"]["refunded"], 50_000);
    desk.sound().await;
}
