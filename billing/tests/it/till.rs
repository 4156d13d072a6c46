//! The till: fast, exact to the last cent, and honest after a crash.

use std::time::Duration;

use peerway_billing::{AccountId, Actor, AdmitError, Admitted, Amount, Ledger, OwnerId, Split, Till, TillConfig};
use tokio::task::JoinSet;

use super::support::{Bench, TestDatabase, charge_of, grant, nanos, owner, request};

pub(crate) fn config(bench: &Bench) -> TillConfig {
    TillConfig { slice: nanos(500), ..TillConfig::new(owner(), bench.journal()) }
}

pub(crate) async fn till(bench: &Bench) -> Till {
    Till::open(bench.ledger.clone(), config(bench)).await.unwrap()
}

pub(crate) async fn admit(till: &Till, name: &str, account: &AccountId, amount: i64) -> Result<Admitted, AdmitError> {
    till.admit(request(name), account, Amount::exactly(nanos(amount))).await
}

fn insufficient(needed: i64, available: i64) -> AdmitError {
    AdmitError::Insufficient { needed: nanos(needed), available: nanos(available) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_requests_on_credit_for_ten() {
    let bench = Bench::new().await;
    for round in 0..10 {
        let account = bench.customer(1000).await;
        let till = till(&bench).await;
        let mut asked = JoinSet::new();
        for index in 0..64 {
            let (till, account) = (till.clone(), account.clone());
            asked.spawn(async move { admit(&till, &format!("r{round}-{index}"), &account, 100).await });
        }
        let (passed, refused): (Vec<_>, Vec<_>) = asked.join_all().await.into_iter().partition(Result::is_ok);
        assert_eq!(passed.len(), 10);
        for error in refused.into_iter().filter_map(Result::err) {
            assert_eq!(error, insufficient(100, 0));
        }
        for admitted in passed.into_iter().flatten() {
            admitted.capture(charge_of(100, 0, "alice"));
        }
        till.flush().await.unwrap();
        assert_eq!(bench.posted(&account).await, 0);
        till.close().await.unwrap();
    }
    bench.verified().await;
}

#[tokio::test]
async fn the_last_cent_can_be_spent() {
    let bench = Bench::new().await;
    let account = bench.customer(1234).await;
    let till = till(&bench).await;
    let wish = Amount { least: nanos(1), most: nanos(500) };
    let mut granted = Vec::new();
    for index in 0..3 {
        let admitted = till.admit(request(&format!("r{index}")), &account, wish).await.unwrap();
        granted.push(admitted.amount().as_i64());
        admitted.capture(charge_of(granted[index], 0, "alice"));
    }
    assert_eq!(granted, [500, 500, 234]);
    assert_eq!(till.admit(request("more"), &account, wish).await.unwrap_err(), insufficient(1, 0));
    till.flush().await.unwrap();
    assert_eq!(bench.posted(&account).await, 0);
    bench.verified().await;
}

#[tokio::test]
async fn what_is_not_used_is_free_again_at_once() {
    let bench = Bench::new().await;
    let account = bench.customer(100).await;
    let till = till(&bench).await;
    let first = admit(&till, "a", &account, 100).await.unwrap();
    assert_eq!(admit(&till, "b", &account, 1).await.unwrap_err(), insufficient(1, 0));
    let paid = first.capture(charge_of(30, 1000, "alice"));
    assert_eq!(paid, Split { total: nanos(33), operator: nanos(30), fee: nanos(3) });
    drop(admit(&till, "c", &account, 67).await.unwrap());
    let last = admit(&till, "d", &account, 60).await.unwrap();
    let other = admit(&till, "e", &account, 7).await.unwrap();
    // A charge beyond what was admitted is cut to it, and takes nothing that is another's.
    assert_eq!(last.capture(charge_of(500, 0, "bob")).total, nanos(60));
    till.flush().await.unwrap();
    assert_eq!(other.capture(charge_of(7, 0, "bob")).total, nanos(7));
    till.flush().await.unwrap();
    assert_eq!(bench.posted(&account).await, 0);
    let receipt = bench.ledger.charge(&request("d")).await.unwrap();
    assert_eq!((receipt.paid.total, receipt.shortfall), (nanos(60), nanos(440)));
    assert_eq!(bench.ledger.charge(&request("e")).await.unwrap().paid.total, nanos(7));
    assert!(bench.ledger.charge(&request("c")).await.is_err());
    bench.verified().await;
}

#[tokio::test]
async fn credit_from_another_process_is_seen() {
    let bench = Bench::new().await;
    let account = bench.customer(0).await;
    let till = till(&bench).await;
    assert_eq!(admit(&till, "a", &account, 10).await.unwrap_err(), insufficient(10, 0));
    bench.another().await.credit(grant(&account, 10, "card"), &Actor::operator()).await.unwrap();
    let first = admit(&till, "b", &account, 10).await.unwrap();
    bench.another().await.credit(grant(&account, 10, "card-2"), &Actor::operator()).await.unwrap();
    let second = admit(&till, "c", &account, 10).await.unwrap();
    assert_eq!(admit(&till, "d", &account, 10).await.unwrap_err(), insufficient(10, 0));
    drop((first, second));
    assert_eq!(admit(&till, "e", &account, 20).await.unwrap().amount(), nanos(20));
}

#[tokio::test]
async fn a_refusal_takes_nothing() {
    let bench = Bench::new().await;
    let account = bench.customer(40).await;
    let till = till(&bench).await;
    assert_eq!(admit(&till, "a", &account, 50).await.unwrap_err(), insufficient(50, 40));
    assert_eq!(bench.available(&account).await, 40);
    let admitted = admit(&till, "b", &account, 15).await.unwrap();
    assert_eq!(admit(&till, "c", &account, 50).await.unwrap_err(), insufficient(50, 25));
    drop(admitted);
    assert_eq!(admit(&till, "d", &account, 40).await.unwrap().amount(), nanos(40));
}

#[tokio::test]
async fn free_requests_pass_without_credit() {
    let bench = Bench::new().await;
    let account = bench.customer(0).await;
    let till = till(&bench).await;
    let admitted = admit(&till, "a", &account, 0).await.unwrap();
    admitted.capture(charge_of(0, 0, "alice"));
    till.flush().await.unwrap();
    assert_eq!(bench.ledger.charge(&request("a")).await.unwrap().paid, Split::default());
    bench.verified().await;
}

#[tokio::test]
async fn who_may_not_spend_is_told_why() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    let till = till(&bench).await;
    let nobody = AccountId::new("acct_nobody").unwrap();
    assert_eq!(admit(&till, "a", &nobody, 1).await.unwrap_err(), AdmitError::AccountMissing(nobody));
    let before = admit(&till, "b", &account, 1).await.unwrap();
    bench.ledger.set_frozen(&account, true, &Actor::operator()).await.unwrap();
    till.maintain().await;
    assert_eq!(admit(&till, "c", &account, 1).await.unwrap_err(), AdmitError::Frozen(account.clone()));
    // What was admitted before is still paid.
    before.capture(charge_of(1, 0, "alice"));
    till.flush().await.unwrap();
    assert_eq!(bench.posted(&account).await, 999);
    let wrong = Amount { least: nanos(2), most: nanos(1) };
    assert!(matches!(till.admit(request("d"), &account, wrong).await, Err(AdmitError::Invalid(_))));
    bench.verified().await;
}

#[tokio::test]
async fn a_crash_between_admit_and_capture_costs_the_customer_nothing() {
    let bench = Bench::new().await;
    let account = bench.customer(10_000).await;
    let till_before = till(&bench).await;
    let admitted = admit(&till_before, "lost", &account, 300).await.unwrap();
    admit(&till_before, "kept", &account, 100).await.unwrap().capture(charge_of(60, 0, "alice"));
    till_before.flush().await.unwrap();
    assert_eq!(bench.held(&account).await, 440, "the lease of 500 less 60");
    std::mem::forget(admitted); // a crash runs no destructors
    drop(till_before);

    let till_after = till(&bench).await;
    assert_eq!((bench.posted(&account).await, bench.held(&account).await), (9940, 0));
    assert_eq!(admit(&till_after, "again", &account, 9940).await.unwrap().amount(), nanos(9940));
    bench.verified().await;
}

#[tokio::test]
async fn another_gateways_leases_are_left_alone() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    let first = till(&bench).await;
    let admitted = admit(&first, "a", &account, 500).await.unwrap();
    let journal = bench.folder.path().join("journal-2");
    let config = TillConfig { owner: OwnerId::new("gateway-2").unwrap(), journal, ..config(&bench) };
    let second = Till::open(bench.another().await, config).await.unwrap();
    assert_eq!(bench.held(&account).await, 500);
    let other = admit(&second, "b", &account, 500).await.unwrap();
    assert_eq!(admit(&second, "c", &account, 1).await.unwrap_err(), insufficient(1, 0));
    admitted.capture(charge_of(500, 0, "alice"));
    other.capture(charge_of(500, 0, "alice"));
    // One after the other: neither waits long for a file in which the other writes.
    first.flush().await.unwrap();
    second.flush().await.unwrap();
    first.close().await.unwrap();
    second.close().await.unwrap();
    assert_eq!(bench.posted(&account).await, 0);
    bench.verified().await;
}

#[tokio::test]
async fn idle_leases_are_released_and_used_ones_renewed() {
    let bench = Bench::new().await;
    let (idle, busy) = (bench.customer(10_000).await, bench.customer(10_000).await);
    let till = till(&bench).await;
    drop(admit(&till, "a", &idle, 1).await.unwrap());
    let running = admit(&till, "b", &busy, 1).await.unwrap();
    assert_eq!((bench.held(&idle).await, bench.held(&busy).await), (500, 500));
    for _ in 0..5 {
        bench.hand.advance(Duration::from_secs(200)); // a lease lives for 300
        till.maintain().await;
    }
    assert_eq!((bench.held(&idle).await, bench.held(&busy).await), (0, 500));
    assert_eq!(till.stats().leases, 1);
    running.capture(charge_of(1, 0, "alice"));
    till.flush().await.unwrap();
    assert!(!bench.ledger.charge(&request("b")).await.unwrap().late);
    assert_eq!(admit(&till, "c", &idle, 10_000).await.unwrap().amount(), nanos(10_000));
    bench.verified().await;
}

#[tokio::test]
async fn an_expired_lease_is_replaced_and_its_work_still_paid() {
    let bench = Bench::new().await;
    let account = bench.customer(600).await;
    let till = till(&bench).await;
    let old = admit(&till, "old", &account, 400).await.unwrap();
    bench.hand.advance(Duration::from_secs(301));
    // The old lease is not what it comes from.
    let new = admit(&till, "new", &account, 500).await.unwrap();
    old.capture(charge_of(400, 0, "alice"));
    new.capture(charge_of(50, 0, "alice"));
    till.flush().await.unwrap();
    let receipt = bench.ledger.charge(&request("old")).await.unwrap();
    assert!(receipt.late);
    assert_eq!((receipt.paid.total, receipt.shortfall), (nanos(100), nanos(300)));
    assert!(!bench.ledger.charge(&request("new")).await.unwrap().late);
    assert_eq!(bench.posted(&account).await, 450);
    bench.verified().await;
}

#[tokio::test]
async fn without_the_database_the_lease_carries_on() {
    let bench = Bench::new().await;
    let account = bench.customer(10_000).await;
    let config = TillConfig { backlog: 2, patience: Duration::from_millis(1), ..config(&bench) };
    let till = Till::open(bench.ledger.clone(), config).await.unwrap();
    let first = admit(&till, "a", &account, 100).await.unwrap();

    let lock = bench.database.locked().await;
    let second = admit(&till, "b", &account, 100).await.unwrap();
    let rest = till.admit(request("c"), &account, Amount { least: nanos(1), most: nanos(900) }).await.unwrap();
    assert_eq!(rest.amount(), nanos(300), "what the lease still has");
    assert!(matches!(admit(&till, "d", &account, 1).await, Err(AdmitError::Unavailable(_))));

    // Captures wait; when more wait than the queue has room for, so do new requests.
    for admitted in [first, second, rest] {
        admitted.capture(charge_of(50, 0, "alice"));
    }
    assert_eq!(till.stats().queued_captures, 3);
    assert!(matches!(admit(&till, "e", &account, 1).await, Err(AdmitError::Unavailable(_))));
    assert_eq!(bench.posted(&account).await, 10_000);

    lock.leave().await;
    till.flush().await.unwrap();
    assert_eq!(bench.posted(&account).await, 9850);
    assert_eq!(admit(&till, "f", &account, 9850).await.unwrap().amount(), nanos(9850));
    bench.verified().await;
}

#[tokio::test]
async fn captures_that_a_closed_ledger_did_not_take_are_charged_at_the_next_start() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    let ledger: Ledger = bench.another().await;
    let till = Till::open(ledger.clone(), config(&bench)).await.unwrap();
    let admitted = admit(&till, "a", &account, 100).await.unwrap();
    ledger.close().await;
    admitted.capture(charge_of(50, 0, "alice"));
    assert_eq!(till.flush().await.unwrap_err().left, 1);
    assert_eq!(bench.posted(&account).await, 1000);
    drop(till);
    let next = Till::open(bench.ledger.clone(), config(&bench)).await.unwrap();
    assert_eq!((bench.posted(&account).await, bench.held(&account).await), (950, 0));
    next.close().await.unwrap();
    bench.verified().await;
}

#[tokio::test]
async fn a_closed_till_admits_nothing_and_holds_nothing() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    let till = till(&bench).await;
    admit(&till, "a", &account, 100).await.unwrap().capture(charge_of(50, 0, "alice"));
    till.close().await.unwrap();
    assert_eq!((bench.posted(&account).await, bench.held(&account).await), (950, 0));
    assert!(matches!(admit(&till, "b", &account, 1).await, Err(AdmitError::Unavailable(_))));
    bench.verified().await;
}

/// A caller who leaves while the ledger is asked leaves nothing set aside in memory.
#[tokio::test]
async fn a_caller_who_leaves_gives_back() {
    let bench = Bench::new().await;
    let account = bench.customer(100).await;
    let till = till(&bench).await;
    let mut waiting = Box::pin(till.admit(request("gone"), &account, Amount::exactly(nanos(100))));
    let asked = std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await;
    assert!(asked, "the ledger cannot have answered yet");
    drop(waiting);
    // Behind it at the gate, so its answer has come when this one does.
    assert_eq!(admit(&till, "next", &account, 100).await.unwrap().amount(), nanos(100));
    assert_eq!(till.stats().queued_captures, 0);
    bench.verified().await;
}
