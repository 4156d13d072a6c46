//! A process that takes payments is killed at every step that it takes, and its successor has to make the books whole.
//!
//! The ledger and what is kept of payments are real; the bank ([`bank`]) keeps its books in memory, loses answers, and tells of
//! what happened once, twice or never. Meanwhile payers pay, banks take back, operators decide and customers spend ([`world`]).
//! After each death a successor starts and is left alone until it is quiet; then
//!
//! - the ledger's books are clean, and what the bank has for us is what lies on the clearing accounts;
//! - each customer has exactly what was paid, less what went back and what was spent: each payment once;
//! - nobody is below zero without money having been taken back past us, and nothing waits for ever.
//!
//! `PEERWAY_KILL_POINTS` says how many deaths in each database, `PEERWAY_KILL_SEED` where the drawing begins; a failure names its world, whose
//! number with one world's deaths repeats it as far as threads allow.

mod bank;
mod fate;
mod judge;
mod past_us;
mod warnings;
mod world;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinSet;
use world::World;

use crate::databases::{PostgresDatabase, TestDatabase};
use crate::ledger::Database;

const POINTS: u64 = 120;
/// Deaths in one world, whose ledger they share.
const DEATHS: u64 = 10;
const AT_ONCE: usize = 4;

/// What was seen over all worlds: a harness that never reaches what it is for would prove nothing.
#[derive(Debug, Default)]
struct Seen {
    deaths: AtomicU64,
    lost_answers: AtomicU64,
    declines: AtomicU64,
    paid: AtomicU64,
    topped_up: AtomicU64,
    refunds: AtomicU64,
    failed_refunds: AtomicU64,
    disputes: AtomicU64,
    reviewed: AtomicU64,
    owed: AtomicU64,
}

impl Seen {
    fn counts(&self) -> [&AtomicU64; 10] {
        let Self { deaths, lost_answers, declines, paid, topped_up, .. } = self;
        let Self { refunds, failed_refunds, disputes, reviewed, owed, .. } = self;
        [deaths, lost_answers, declines, paid, topped_up, refunds, failed_refunds, disputes, reviewed, owed]
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().map_or(otherwise, |count| count.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_it_dies_every_payment_counts_once_in_sqlite() {
    // The ledger's own durability is tested elsewhere: here its file may be in memory.
    let memory = Path::new("/dev/shm");
    let made = async || {
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        (Database::Sqlite(folder.path().join("ledger.db")), folder)
    };
    die_again_and_again(made).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_it_dies_every_payment_counts_once_in_postgres() {
    let made = async || {
        let database = PostgresDatabase::fresh().await;
        (database.url().parse().unwrap(), database)
    };
    die_again_and_again(made).await;
}

/// Each world in a database of its own, with what keeps that alive.
async fn die_again_and_again<K: Send + 'static>(made: impl AsyncFn() -> (Database, K)) {
    let (points, first) = (number("PEERWAY_KILL_POINTS", POINTS), number("PEERWAY_KILL_SEED", 0));
    let seen = Arc::new(Seen::default());
    let mut running = JoinSet::new();
    for seed in first..first + points.div_ceil(DEATHS) {
        if running.len() >= AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        let ((database, kept), seen) = (made().await, Arc::clone(&seen));
        running.spawn(async move {
            let mut world = World::new(seed, &database).await;
            for _ in 0..DEATHS {
                world.live_until_death().await;
                world.come_to_rest().await;
                world.judge(&seen).await;
            }
            world.end(&seen).await;
            drop(kept);
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    println!("from seed {first}: {seen:?}");
    if points >= POINTS {
        assert!(seen.counts().iter().all(|count| count.load(Ordering::SeqCst) > 0), "{seen:?}");
    }
}
