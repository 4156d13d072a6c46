//! A refund that somebody made at the bank, of credit that is spent already.

use peerway_billing_stripe::{Cents, RefundStatus};
use std::time::Duration;

use super::warnings::{paid, pays};
use super::world::CENT;
use crate::access::Actor;

#[tokio::test]
async fn what_is_owed_is_taken_once_and_comes_back_with_the_refund() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, payments, account, intent) = paid(&folder).await;
    world.spend(&account, 800 * CENT).await;
    let whole = Cents::new(1000).unwrap();
    let refund = world.bank.books.lock().send_back(&intent, whole, None, RefundStatus::Pending).unwrap();
    let intent = intent.parse().unwrap();
    // Leases may come back yet.
    payments.look(&intent).await.unwrap_err();
    assert_eq!(world.posted(&account).await, 200 * CENT);
    world.clock.advance(Duration::from_secs(200));
    payments.look(&intent).await.unwrap();
    assert_eq!(world.posted(&account).await, -800 * CENT);

    pays(&world, &payments, &account, 2000).await;
    world.ledger.set_frozen(&account, false, &Actor::operator()).await.unwrap();
    payments.look(&intent).await.unwrap();
    assert_eq!(world.posted(&account).await, 1200 * CENT, "it was owed, and is paid: not taken again");

    world.bank.books.lock().end_refund(&refund, RefundStatus::Failed);
    for _ in 0..2 {
        payments.look(&intent).await.unwrap();
        assert_eq!(world.posted(&account).await, 2200 * CENT, "the money is here again");
    }
    assert!(world.ledger.verify().await.unwrap().is_clean());
}
