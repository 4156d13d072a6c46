//! Near zero: what is left can be spent, at whichever gateway, and no more than that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use peerway_billing::{AccountId, AdmitError, Amount, HoldId, LedgerOptions, NewHold, OwnerId, Till, TillConfig};
use tokio::task::JoinSet;

use super::support::{Bench, TestDatabase, charge_of, nanos, owner, request};
use super::till::{admit, till};

const SLICE: i64 = 500;
/// What one request sets aside. It costs less.
const HELD: i64 = 100;

async fn gateway(bench: &Bench, name: &str) -> Till {
    let owner = OwnerId::new(name).unwrap();
    let config = TillConfig { slice: nanos(SLICE), ..TillConfig::new(owner, bench.folder.path().join(name)) };
    // Patient where the other one writes.
    let options = LedgerOptions { clock: bench.clock.clone(), ..LedgerOptions::default() };
    let ledger = bench.database.open(options).await;
    Till::open(ledger, config).await.unwrap()
}

/// Spends until it is refused: a request costs 60 of the 100 that it sets aside.
async fn spend(till: &Till, account: &AccountId, name: &str, spent: &AtomicU64) {
    for index in 0.. {
        match admit(till, &format!("{name}-{index}"), account, HELD).await {
            Ok(admitted) => {
                tokio::task::yield_now().await;
                let paid = admitted.capture(charge_of(60, 0, "alice"));
                spent.fetch_add(paid.total.as_i64().unsigned_abs(), Ordering::SeqCst);
            }
            Err(AdmitError::Insufficient { .. }) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_and_64_callers_each_spend_the_last_credit() {
    let bench = Bench::new().await;
    let tills = [gateway(&bench, "gateway-a").await, gateway(&bench, "gateway-b").await];
    for round in 0..5 {
        let credit = 9_000 + 17 * round;
        let account = bench.customer(credit).await;
        let spent = Arc::new(AtomicU64::new(0));
        let mut callers = JoinSet::new();
        for (gateway, till) in tills.iter().enumerate() {
            for caller in 0..64 {
                let (till, account, spent) = (till.clone(), account.clone(), Arc::clone(&spent));
                let name = format!("{round}-{gateway}-{caller}");
                callers.spawn(async move { spend(&till, &account, &name, &spent).await });
            }
        }
        callers.join_all().await;
        // Some were refused for what others had set aside and did not need. Once that is given back, one goes on alone, at
        // a gateway after the other.
        for till in &tills {
            till.flush().await.unwrap();
            till.maintain().await;
        }
        for (gateway, till) in tills.iter().enumerate() {
            loop {
                let before = spent.load(Ordering::SeqCst);
                spend(till, &account, &format!("{round}-{gateway}-{before}"), &spent).await;
                till.flush().await.unwrap();
                till.maintain().await;
                if spent.load(Ordering::SeqCst) == before {
                    break;
                }
            }
        }
        let posted = bench.posted(&account).await;
        assert_eq!(posted, credit - i64::try_from(spent.load(Ordering::SeqCst)).unwrap());
        assert!((0..HELD).contains(&posted), "{posted} is left, and a request needs {HELD}");
        assert_eq!(bench.held(&account).await, 0, "nothing lies idle in a lease");
    }
    for till in tills {
        till.close().await.unwrap();
    }
    bench.verified().await;
}

#[tokio::test]
async fn with_plenty_a_slice_is_leased_and_near_zero_what_is_needed() {
    let bench = Bench::new().await;
    let till = till(&bench).await;
    for (credit, held) in [(10_000, SLICE), (100 + 400 * 5, SLICE), (100 + 400 * 5 - 1, 100), (100, 100)] {
        let account = bench.customer(credit).await;
        let admitted = admit(&till, &format!("of-{credit}"), &account, 100).await.unwrap();
        assert_eq!(bench.held(&account).await, held, "of {credit}");
        drop(admitted);
    }
    till.close().await.unwrap();
}

/// What a request did not need is at once another gateway's to use, and a request under way loses nothing by it.
#[tokio::test]
async fn what_came_free_near_zero_is_given_back() {
    let bench = Bench::new().await;
    let account = bench.customer(300).await;
    let (here, there) = (gateway(&bench, "here").await, gateway(&bench, "there").await);
    let running = admit(&here, "running", &account, 100).await.unwrap();
    admit(&here, "ended", &account, 200).await.unwrap().capture(charge_of(20, 0, "alice"));
    here.maintain().await;
    let other = admit(&there, "other", &account, 180).await.unwrap();
    assert!(matches!(admit(&here, "more", &account, 1).await, Err(AdmitError::Insufficient { .. })));
    running.capture(charge_of(100, 0, "alice"));
    other.capture(charge_of(180, 0, "alice"));
    here.close().await.unwrap();
    there.close().await.unwrap();
    let receipt = bench.ledger.charge(&request("running")).await.unwrap();
    assert_eq!((receipt.late, receipt.shortfall), (false, nanos(0)));
    assert_eq!((bench.posted(&account).await, bench.held(&account).await), (0, 0));
    bench.verified().await;
}

/// Giving back more than there is gives back what there is; what has ended gives nothing.
#[tokio::test]
async fn a_hold_shrinks_to_what_is_captured_and_no_further() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    let hold = crate::support::hold("h", &account, 600, bench.in_secs(60));
    bench.ledger.hold(hold.clone()).await.unwrap();
    bench.ledger.capture(crate::support::capture("h", "r", 100, false)).await.unwrap();
    bench.ledger.shrink(vec![(hold.id.clone(), nanos(200))]).await.unwrap();
    assert_eq!((bench.posted(&account).await, bench.held(&account).await), (900, 300));
    bench.ledger.shrink(vec![(hold.id.clone(), nanos(i64::MAX)), (hold.id.clone(), nanos(-5))]).await.unwrap();
    assert_eq!(bench.held(&account).await, 0);
    bench.ledger.release(&hold.id).await.unwrap();
    bench.ledger.shrink(vec![(hold.id.clone(), nanos(5))]).await.unwrap();
    assert_eq!((bench.held(&account).await, bench.available(&account).await), (0, 900));
    let again = NewHold { id: HoldId::new("h2").unwrap(), owner: owner(), ..hold };
    let ahead = NewHold { amount: Amount::exactly(nanos(100)), ahead: nanos(100), ..again };
    let granted = bench.ledger.hold(ahead.clone()).await.unwrap();
    assert_eq!((granted.granted, granted.left), (nanos(200), nanos(700)));
    assert_eq!(bench.ledger.hold(ahead).await.unwrap().granted, nanos(200), "asked again, the same");
    bench.verified().await;
}
