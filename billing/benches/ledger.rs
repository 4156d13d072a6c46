//! How fast the ledger is, on this machine's disk. Bounded time; prints a table.
//!
//! `cargo bench -p peerway-billing --bench ledger`

// Figures for people to read, and a program that may stop where it cannot go on.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

use std::path::Path;
use std::time::{Duration, Instant};

use peerway_billing::{
    AccountId, Actor, Amount, Capture, Charge, ChargeTerms, Credit, FeeBps, HoldId, Ledger, Nanos, NewHold, OperatorId,
    Outcome, OwnerId, PerMillion, Price, Reference, RequestId, TokenCount,
};
use tokio::task::JoinSet;

/// How long each measurement runs.
const RUN: Duration = Duration::from_secs(3);
/// What one request asks, in nano-USD.
const ASK: u64 = 100;

#[tokio::main(worker_threads = 2)]
async fn main() {
    // `cargo test` runs benches too, with --test: then there is nothing to measure.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    // Beside the build, not in /tmp: that may be memory, and memory flushes fast.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    println!("{:<44} {:>10} {:>10} {:>10}", "", "pairs/s", "p50 µs", "p99 µs");
    let naive = pairs(&folder.path().join("one.db"), 1).await;
    naive.print("hold + capture, one commit each (yardstick)");
    let grouped = pairs(&folder.path().join("many.db"), 64).await;
    grouped.print("hold + capture, 64 callers, group commit");
    println!("{:<44} {:>9.1}×", "group commit against the yardstick", grouped.rate() / naive.rate());
}

/// Latencies of everything that one measurement did, and how long all of it took.
struct Measured {
    each: Vec<Duration>,
    whole: Duration,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.each.len() as f64 / self.whole.as_secs_f64()
    }

    fn print(&self, what: &str) {
        let mut sorted = self.each.clone();
        sorted.sort_unstable();
        let at = |part: usize| sorted[sorted.len() * part / 100].as_secs_f64() * 1e6;
        println!("{what:<44} {:>10.0} {:>10.1} {:>10.1}", self.rate(), at(50), at(99));
    }
}

async fn customer(ledger: &Ledger) -> AccountId {
    let account = ledger.create_account("benchmark", &Actor::operator()).await.unwrap().id;
    let credit = Credit {
        account: account.clone(),
        amount: Nanos::from_usd_str("1000000").unwrap(),
        reference: Reference::new(account.as_str()).unwrap(),
        memo: String::new(),
    };
    ledger.credit(credit, &Actor::operator()).await.unwrap();
    account
}

fn charge() -> Charge {
    Charge::new(ChargeTerms {
        key: None,
        token: None,
        node: "12D3KooWBenchmarkBenchmarkBenchmarkBenchmark".to_owned(),
        operator: OperatorId::new("operator").unwrap(),
        model: "smollm2-135m".to_owned(),
        price: Price { output: PerMillion::new(1_000_000).unwrap(), ..Price::default() },
        fee: FeeBps::new(500).unwrap(),
        billed: TokenCount::new(1000, 0, ASK),
        claimed: TokenCount::new(1000, 0, ASK),
        outcome: Outcome::Finished,
    })
    .unwrap()
}

/// `callers` tasks, each with an account of its own, each taking a hold and capturing it again and again; every
/// step is durable before the next.
async fn pairs(file: &Path, callers: usize) -> Measured {
    let ledger = Ledger::open(file).await.unwrap();
    let mut accounts = Vec::new();
    for _ in 0..callers {
        accounts.push(customer(&ledger).await);
    }
    let begin = Instant::now();
    let mut running = JoinSet::new();
    for account in accounts {
        let ledger = ledger.clone();
        running.spawn(async move {
            let mut each = Vec::new();
            while begin.elapsed() < RUN {
                let since = Instant::now();
                pair(&ledger, &account).await;
                each.push(since.elapsed());
            }
            each
        });
    }
    let each = running.join_all().await.concat();
    let whole = begin.elapsed();
    assert!(ledger.verify().await.unwrap().is_clean());
    ledger.close().await;
    Measured { each, whole }
}

/// Ids are made as a gateway makes them: ordered by time, so that new rows lie side by side in the file.
async fn pair(ledger: &Ledger, account: &AccountId) {
    let id = HoldId::random();
    let hold = NewHold {
        id: id.clone(),
        account: account.clone(),
        amount: Amount::exactly(Nanos::new(200)),
        ahead: Nanos::ZERO,
        expires_at: ledger.clock().now().after(Duration::from_secs(60)),
        owner: OwnerId::new("benchmark").unwrap(),
    };
    ledger.hold(hold).await.unwrap();
    let request = RequestId::new(id.as_str()).unwrap();
    ledger.capture(Capture { hold: id, request, charge: charge(), at_most: None, close: true }).await.unwrap();
}
