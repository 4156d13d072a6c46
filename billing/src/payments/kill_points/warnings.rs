//! Early fraud warnings: what follows from one, and that it follows once.

use serde_json::json;

use super::fate::Fate;
use super::world::{CENT, World};
use crate::access::Actor;
use crate::id::AccountId;
use crate::ledger::Database;
use crate::money::Nanos;
use crate::payments::{NewPage, PaymentState, Payments};

/// Where 1000 cents were paid in, the world without bad moods.
pub(super) async fn paid(folder: &tempfile::TempDir) -> (World, Payments, AccountId, String) {
    let world = World::new(1, &Database::Sqlite(folder.path().join("ledger.db"))).await;
    let payments = world.process(&Fate::never());
    let account = world.customers[1].clone();
    let intent = pays(&world, &payments, &account, 1000).await;
    assert_eq!(world.posted(&account).await, 1000 * CENT);
    (world, payments, account, intent)
}

/// A page is opened and paid, and looked at.
pub(super) async fn pays(world: &World, payments: &Payments, account: &AccountId, cents: i64) -> String {
    let page = NewPage {
        account: account.clone(),
        amount: Nanos::new(cents * CENT),
        save_card: false,
        success_url: "https://example.com/".to_owned(),
        cancel_url: "https://example.com/".to_owned(),
        name: None,
    };
    let order = payments.open_page(&page).await.unwrap().payment;
    let intent = {
        let mut books = world.bank.books.lock();
        let page = books.pages.iter().find(|(_, open)| open.page.open).unwrap().0.clone();
        books.pay_at(&page, true);
        books.payments.values().find(|one| one.order.as_ref() == Some(&order)).unwrap().id.clone()
    };
    payments.look(&intent).await.unwrap();
    intent.to_string()
}

/// Tells of a warning by an event of this name, and waits until it was looked into.
async fn tell(world: &World, payments: &Payments, event: &str, warning: &str, intent: &str) {
    let object = json!({"id": warning, "object": "radar.early_fraud_warning", "payment_intent": intent});
    let kind = "radar.early_fraud_warning.updated";
    let body = json!({"id": event, "type": kind, "created": 1, "data": {"object": object}}).to_string();
    payments.told(&world.signed(body.as_bytes()), body.as_bytes()).await.unwrap();
    while payments.look_into_events().await.unwrap() > 0 {}
}

#[tokio::test]
async fn a_warning_sends_back_what_is_unused_and_freezes() {
    let folder = tempfile::tempdir().unwrap();
    let (world, payments, account, intent) = paid(&folder).await;
    let warning = world.bank.books.lock().warn(&intent, true);
    tell(&world, &payments, "evt_a", &warning, &intent).await;
    let now = world.ledger.account(&account).await.unwrap();
    assert_eq!((now.frozen, now.balance.posted.as_i64()), (true, 0));
    assert_eq!(world.bank.books.lock().left_of(&intent), 0);
    assert!(world.ledger.verify().await.unwrap().is_clean());
}

#[tokio::test]
async fn a_warning_that_an_operator_has_seen_freezes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (world, payments, account, intent) = paid(&folder).await;
    // Too late to spare a dispute: nothing goes back.
    let first = world.bank.books.lock().warn(&intent, false);
    tell(&world, &payments, "evt_a", &first, &intent).await;
    let now = world.ledger.account(&account).await.unwrap();
    assert_eq!((now.frozen, now.balance.posted.as_i64()), (true, 1000 * CENT));

    world.ledger.set_frozen(&account, false, &Actor::operator()).await.unwrap();
    tell(&world, &payments, "evt_b", &first, &intent).await;
    assert!(!world.ledger.account(&account).await.unwrap().frozen, "the same warning");
    let second = world.bank.books.lock().warn(&intent, false);
    tell(&world, &payments, "evt_c", &second, &intent).await;
    assert!(world.ledger.account(&account).await.unwrap().frozen, "another one");
    let kept = payments.payments(&account, 10).await.unwrap();
    assert_eq!(kept[0].state, PaymentState::Paid);
}

#[tokio::test]
async fn what_is_not_signed_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (world, payments, ..) = paid(&folder).await;
    let body = br#"{"id":"evt_x","type":"payment_intent.succeeded","created":1,"data":{"object":{"id":"pi_1","object":"payment_intent"}}}"#;
    for forged in [String::new(), world.signed(b"another body"), "t=1,v1=00".to_owned()] {
        assert!(payments.told(&forged, body).await.is_err(), "{forged}");
    }
    assert_eq!(payments.look_into_events().await.unwrap(), 0);
    payments.told(&world.signed(body), body).await.unwrap();
    assert_eq!(payments.look_into_events().await.unwrap(), 1);
}
