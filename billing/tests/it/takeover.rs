//! Two processes that think they are the same gateway: a paused machine that wakes up, a folder that was copied. Only the one
//! that came last counts.

use std::fs;

use peerway_billing::{AdmitError, Amount, Extend, LedgerError, OwnerId, Till, TillConfig};

use super::support::{Bench, TestDatabase, capture, charge_of, hold, nanos, owner, request};
use super::till::{admit, config, till};

/// The same gateway as `till` opens, with its journal elsewhere.
async fn twin(bench: &Bench, journal: &str) -> Till {
    let config = TillConfig { journal: bench.folder.path().join(journal), ..config(bench) };
    Till::open(bench.another().await, config).await.unwrap()
}

#[tokio::test]
async fn an_older_till_admits_and_charges_nothing_more() {
    let bench = Bench::new().await;
    let account = bench.customer(10_000).await;
    let older = till(&bench).await;
    let running = admit(&older, "running", &account, 100).await.unwrap();
    assert_eq!(bench.held(&account).await, 500);

    let newer = twin(&bench, "journal-2").await;
    assert_eq!(bench.held(&account).await, 0, "its leases are over");
    // It cannot know yet. What it sells now is not charged.
    running.capture(charge_of(100, 0, "alice"));
    assert_eq!(older.flush().await.unwrap_err().left, 1);
    assert_eq!(bench.posted(&account).await, 10_000);
    assert_eq!(admit(&older, "more", &account, 1).await.unwrap_err(), AdmitError::TakenOver);
    older.maintain().await;
    assert!(older.close().await.is_err());

    let lease = admit(&newer, "new", &account, 100).await.unwrap();
    lease.capture(charge_of(100, 0, "alice"));
    newer.close().await.unwrap();
    assert_eq!(bench.posted(&account).await, 9900);
    drop((older, newer));

    // What it sold lies in its journal until somebody opens it.
    drop(till(&bench).await);
    assert_eq!(bench.posted(&account).await, 9800);
    assert!(bench.ledger.charge(&request("running")).await.unwrap().late);
    bench.verified().await;
}

/// A journal that was copied is charged once, however many have it.
#[tokio::test]
async fn what_was_captured_before_is_charged_by_the_one_that_takes_over() {
    let bench = Bench::new().await;
    let account = bench.customer(10_000).await;
    let older = till(&bench).await;
    let admitted = admit(&older, "before", &account, 100).await.unwrap();
    let lock = bench.database.locked().await;
    admitted.capture(charge_of(70, 0, "alice"));
    older.durable().await;
    let copy = bench.folder.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(bench.journal()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    lock.leave().await;
    let newer = twin(&bench, "copy").await;
    let charged = bench.ledger.charge(&request("before")).await.unwrap();
    assert_eq!((charged.late, charged.paid.total), (false, nanos(70)));
    drop((older, newer));
    drop(till(&bench).await);
    assert_eq!((bench.posted(&account).await, bench.held(&account).await), (9930, 0));
    bench.verified().await;
}

#[tokio::test]
async fn an_older_process_is_refused_whatever_it_asks() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    let first = bench.ledger.take_over(&owner()).await.unwrap();
    let held = first.hold(hold("h", &account, 300, bench.in_secs(60))).await.unwrap().hold;
    let second = bench.another().await.take_over(&owner()).await.unwrap();
    let refused = LedgerError::TakenOver { owner: owner(), epoch: 1, latest: 2 };
    assert!(!refused.is_transient());
    assert!(refused.to_string().contains("number 1") && refused.to_string().contains(owner().as_str()));

    let later = bench.in_secs(120);
    assert_eq!(first.hold(hold("i", &account, 1, later)).await.unwrap_err(), refused);
    let extend = Extend { hold: held.id.clone(), add: Amount::exactly(nanos(1)), ahead: nanos(0), expires_at: later };
    assert_eq!(first.extend(extend).await.unwrap_err(), refused);
    assert_eq!(first.renew(vec![held.id.clone()], later).await.unwrap_err(), refused);
    assert_eq!(first.shrink(vec![(held.id.clone(), nanos(1))]).await.unwrap_err(), refused);
    assert_eq!(first.capture(capture("h", "r", 10, true)).await.unwrap_err(), refused);
    assert_eq!(first.release(&held.id).await.unwrap_err(), refused);
    assert_eq!(first.release_owner(&owner()).await.unwrap_err(), refused);
    assert_eq!((bench.posted(&account).await, bench.held(&account).await), (1000, 300));

    // The latest may, and so may others, each in its own name.
    let other = bench.ledger.take_over(&OwnerId::new("gateway-2").unwrap()).await.unwrap();
    other.hold(hold("o", &account, 5, later)).await.unwrap();
    second.capture(capture("h", "r", 10, true)).await.unwrap();
    assert_eq!((bench.posted(&account).await, bench.held(&account).await), (990, 5));
    bench.verified().await;
}
