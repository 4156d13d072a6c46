//! A till is killed at every step that it takes, and its successor has to make the books whole.
//!
//! Steps are those of a request (admitted, under way, captured), and each thing that is asked of the disk: before it has an
//! effect, half way, and after it but before the till learns so. What a process that dies leaves of an unflushed write is
//! drawn by lot. After each death a successor opens the same journal on the same ledger; then
//!
//! - every capture whose bytes were flushed is charged, and so is every one that the till called durable;
//! - each is charged once, with exactly what its caller was told;
//! - nothing else is charged, the customer's balance is the credit less the charges and never negative, and nothing is held.
//!
//! Some are not killed but taken for dead: they go on, and nothing that they do changes anything.
//!
//! `PEERWAY_KILL_POINTS` says how many deaths in each database; without it there are a few hundred.

mod disk;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use super::journal::Journal;
use super::{AdmitError, Admitted, Till, TillConfig};
use crate::access::Actor;
use crate::databases::{PostgresDatabase, TestDatabase};
use crate::id::{AccountId, OperatorId, OwnerId, Reference, RequestId};
use crate::ledger::{Amount, Charge, ChargeTerms, Credit, Ledger, LedgerOptions, Outcome};
use crate::money::{FeeBps, Nanos, PerMillion, Price, TokenCount};
use disk::{CrashingDisk, Fault};

const POINTS: u64 = 400;
/// Deaths at the same time: they share the ledger's commits.
const AT_ONCE: usize = 16;
const CREDIT: i64 = 1000;
/// So small that files are full after some captures.
const FULL: u64 = 900;
/// Things that one till does at most before it dies.
const ACTIONS: u64 = 24;
/// A till of so many actions asks about as much of its disk.
const DISK_STEPS: u64 = 24;

/// What was seen over all deaths: a harness that never reaches what it is for would prove nothing.
#[derive(Debug, Default)]
struct Seen {
    /// Captures that were in the journal alone, and were charged by the successor.
    replayed: AtomicUsize,
    /// Captures that were lost before they were flushed.
    lost: AtomicUsize,
    /// Captures that were in the ledger before the death.
    charged_before: AtomicUsize,
    /// Captures of tills that were taken for dead and went on.
    haunting: AtomicUsize,
    /// Requests that died between being admitted and captured.
    under_way: AtomicUsize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_it_dies_nothing_is_lost_or_doubled_in_sqlite() {
    // The ledger's own durability is tested elsewhere: here its file may be in memory.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    die_again_and_again(&Ledger::open(folder.path().join("ledger.db")).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_it_dies_nothing_is_lost_or_doubled_in_postgres() {
    let database = PostgresDatabase::fresh().await;
    die_again_and_again(&database.open(LedgerOptions::default()).await).await;
}

async fn die_again_and_again(ledger: &Ledger) {
    let points = std::env::var("PEERWAY_KILL_POINTS").ok().map_or(POINTS, |count| count.parse().unwrap());
    let seen = Arc::new(Seen::default());
    let mut running = JoinSet::new();
    for point in 0..points {
        if running.len() >= AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        let (ledger, seen) = (ledger.clone(), Arc::clone(&seen));
        running.spawn(async move { die_once(&ledger, point, &seen).await });
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    let report = ledger.verify().await.unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
    println!("{points} deaths: {seen:?}");
    for count in [&seen.replayed, &seen.lost, &seen.charged_before, &seen.under_way, &seen.haunting] {
        assert!(count.load(Ordering::SeqCst) > 0, "{seen:?}");
    }
}

/// One customer, one till, one death.
struct Life {
    point: u64,
    account: AccountId,
    disk: CrashingDisk,
    random: StdRng,
    under_way: Vec<Admitted>,
    /// What the caller of each captured request was told that it cost.
    told: BTreeMap<String, i64>,
    /// Those that the till called durable.
    promised: Vec<String>,
}

async fn die_once(ledger: &Ledger, point: u64, seen: &Seen) {
    let mut random = StdRng::seed_from_u64(point);
    let fault = match random.random_range(0..4) {
        0 => None, // killed between two actions
        1 => Some(Fault::DiesBefore),
        2 => Some(Fault::DiesAfter),
        _ => Some(Fault::Fails),
    };
    let fault = fault.map(|fault| (random.random_range(1..=DISK_STEPS), fault));
    let disk = CrashingDisk::new(point, fault);
    let account = customer(ledger, point).await;
    let (under_way, told, promised) = Default::default();
    let mut life = Life { point, account, disk, random, under_way, told, promised };

    let till = open(ledger, point, &life.disk).await;
    life.live(&till).await;
    if fault.is_none() && life.random.random() {
        till.durable().await;
        let charged = life.judge(ledger, seen).await;
        life.haunt(&till, seen).await;
        assert_eq!(charges(ledger, &life.account).await, charged, "point {point}: a till that was taken over charges");
        return;
    }
    life.disk.kill();
    drop(till);
    seen.under_way.fetch_add(life.under_way.len(), Ordering::SeqCst);
    life.under_way.clear();
    life.judge(ledger, seen).await;
}

impl Life {
    async fn live(&mut self, till: &Till) {
        for action in 0..self.random.random_range(1..=ACTIONS) {
            let waited = match self.random.random_range(0..10) {
                0..4 => self.admit(till, action).await,
                4..7 => {
                    self.capture();
                    Some(())
                }
                7 => {
                    drop(self.any_under_way());
                    Some(())
                }
                8 => self.durable(till).await,
                _ => self.flush(till).await,
            };
            if waited.is_none() {
                return;
            }
        }
    }

    async fn admit(&mut self, till: &Till, action: u64) -> Option<()> {
        let request = RequestId::new(format!("<{}-{action}>", self.point)).unwrap();
        let most = self.random.random_range(0..200);
        let amount = Amount { least: Nanos::new(self.random.random_range(0..=most)), most: Nanos::new(most) };
        match till.admit(request, &self.account, amount).await {
            Ok(admitted) => self.under_way.push(admitted),
            Err(AdmitError::Insufficient { .. } | AdmitError::JournalFails(_)) => {}
            Err(error) => panic!("point {}: {error}", self.point),
        }
        Some(())
    }

    fn any_under_way(&mut self) -> Option<Admitted> {
        let place = (0..self.under_way.len()).choose(&mut self.random)?;
        Some(self.under_way.swap_remove(place))
    }

    /// Also for more than was admitted.
    fn capture(&mut self) {
        let _none_under_way = self.capture_one();
    }

    fn capture_one(&mut self) -> Option<()> {
        let admitted = self.any_under_way()?;
        let name = admitted.request().to_string();
        let paid = admitted.capture(charge(self.random.random_range(0..250)));
        assert!(self.told.insert(name, paid.total.as_i64()).is_none());
        Some(())
    }

    /// `None` when the process was killed meanwhile.
    async fn durable(&mut self, till: &Till) -> Option<()> {
        tokio::select! {
            () = till.durable() => {}
            () = self.disk.killed() => return None,
        }
        self.promised.extend(self.told.keys().cloned());
        Some(())
    }

    async fn flush(&mut self, till: &Till) -> Option<()> {
        tokio::select! {
            flushed = till.flush() => flushed.unwrap(),
            () = self.disk.killed() => return None,
        }
        self.promised.extend(self.told.keys().cloned());
        Some(())
    }

    /// What a process does that does not know that it was taken for dead.
    async fn haunt(&mut self, till: &Till, seen: &Seen) {
        while self.capture_one().is_some() {
            seen.haunting.fetch_add(1, Ordering::SeqCst);
        }
        till.maintain().await;
        till.durable().await;
        let refused = till.flush().await.is_err();
        let request = RequestId::new(format!("<{}-haunting>", self.point)).unwrap();
        let asked = till.admit(request, &self.account, Amount::exactly(Nanos::new(CREDIT))).await;
        assert!(matches!(asked, Err(AdmitError::TakenOver)), "point {}: {asked:?}", self.point);
        assert!(refused || till.stats().queued_captures == 0, "point {}", self.point);
    }

    /// Has a successor open what is left, and checks the books; answers what is charged.
    async fn judge(&mut self, ledger: &Ledger, seen: &Seen) -> BTreeMap<String, i64> {
        let point = self.point;
        let before = charges(ledger, &self.account).await;
        let flushed: Vec<String> = self.told.keys().filter(|name| self.disk.has_flushed(name)).cloned().collect();
        self.promised.extend(flushed);
        let survived = self.disk.after_the_crash();
        let successor = open(ledger, point, &survived).await;
        let after = charges(ledger, &self.account).await;

        for (name, paid) in &after {
            assert_eq!(self.told.get(name), Some(paid), "point {point}: {name} was charged so much");
        }
        for name in &self.promised {
            assert!(after.contains_key(name), "point {point}: {name} was durable and is not charged");
        }
        let balance = ledger.account(&self.account).await.unwrap().balance;
        let spent: i64 = after.values().sum();
        assert_eq!((balance.posted.as_i64(), balance.held.as_i64()), (CREDIT - spent, 0), "point {point}");
        assert!(spent <= CREDIT, "point {point}: below zero");
        successor.close().await.unwrap();
        assert_eq!(charges(ledger, &self.account).await, after, "point {point}: nothing is charged later");

        seen.charged_before.fetch_add(before.len(), Ordering::SeqCst);
        seen.replayed.fetch_add(after.len() - before.len(), Ordering::SeqCst);
        seen.lost.fetch_add(self.told.len() - after.len(), Ordering::SeqCst);
        after
    }
}

async fn open(ledger: &Ledger, point: u64, disk: &CrashingDisk) -> Till {
    let owner = OwnerId::new(format!("gateway-{point}")).unwrap();
    let config = TillConfig { slice: Nanos::new(50), ..TillConfig::new(owner, "journal") };
    let (journal, left) = Journal::on(Box::new(disk.clone()), Path::new("journal"), FULL).unwrap();
    Till::open_with(ledger.clone(), config, journal, left).await.unwrap()
}

async fn customer(ledger: &Ledger, point: u64) -> AccountId {
    let account = ledger.create_account("a customer", &Actor::operator()).await.unwrap().id;
    let credit = Credit {
        account: account.clone(),
        amount: Nanos::new(CREDIT),
        reference: Reference::new(format!("credit-{point}")).unwrap(),
        memo: String::new(),
    };
    ledger.credit(credit, &Actor::operator()).await.unwrap();
    account
}

fn charge(ask: u64) -> Charge {
    let output = PerMillion::new(1_000_000).unwrap(); // one nano-USD a token
    Charge::new(ChargeTerms {
        key: None,
        token: None,
        node: "12D3KooWNode".to_owned(),
        operator: OperatorId::new("alice").unwrap(),
        model: "smol".to_owned(),
        price: Price { output, ..Price::default() },
        fee: FeeBps::new(500).unwrap(),
        billed: TokenCount::new(0, 0, ask),
        claimed: TokenCount::new(0, 0, ask),
        outcome: Outcome::Finished,
    })
    .unwrap()
}

/// What was charged, by request. A request that is charged twice would be missing one.
async fn charges(ledger: &Ledger, account: &AccountId) -> BTreeMap<String, i64> {
    let receipts = ledger.charges(account, 1000).await.unwrap();
    let charges: BTreeMap<String, i64> =
        receipts.iter().map(|receipt| (receipt.request.to_string(), receipt.paid.total.as_i64())).collect();
    assert_eq!(charges.len(), receipts.len());
    charges
}
