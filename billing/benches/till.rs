//! How fast the till is: requests admitted against leased credit, and captured into the journal, on this machine's disk.
//! The yardstick is a durable hold for each request. Bounded time; prints a table.
//!
//! `cargo bench -p peerway-billing --bench till`

// Figures for people to read, and a program that may stop where it cannot go on.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use peerway_billing::{
    AccountId, Actor, Amount, Capture, Charge, ChargeTerms, Credit, FeeBps, HoldId, Ledger, Nanos, NewHold, OperatorId,
    Outcome, OwnerId, PerMillion, Price, Reference, RequestId, Till, TillConfig, TokenCount,
};
use tokio::task::JoinSet;

/// How long each measurement runs.
const RUN: Duration = Duration::from_secs(2);
const CALLERS: usize = 64;
/// What one request sets aside, and what it asks, in nano-USD.
const HELD: Amount = Amount::exactly(Nanos::new(200));
const ASK: u64 = 100;

#[tokio::main(worker_threads = 2)]
async fn main() {
    // `cargo test` runs benches too, with --test: then there is nothing to measure.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    // Beside the build, not in /tmp: that may be memory, and memory flushes fast.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = |name: &str| folder.path().join(name);
    println!("{:<60} {:>10} {:>9} {:>9}", "", "requests/s", "p50 µs", "p99 µs");
    let naive = a_hold_each(file("naive.db")).await;
    naive.print("a durable hold and capture each, 64 callers (yardstick)");
    admissions(file("admit.db")).await.print("till: admitted and given back, in memory");
    one_by_one(file("one.db")).await.print("till: 1 caller waits until each capture is durable");
    let leased = leased(file("till.db"), naive.rate()).await;
    println!("{:<60} {leased:>9.1}×", "durable captures against the yardstick");
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
        println!("{what:<60} {:>10.0} {:>9.1} {:>9.1}", self.rate(), at(50), at(99));
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

/// Ids are made as a gateway makes them: ordered by time, so that new rows lie side by side in the file.
fn request() -> RequestId {
    RequestId::new(HoldId::random().as_str()).unwrap()
}

async fn till(file: &Path, ledger: &Ledger) -> Till {
    let config = TillConfig::new(OwnerId::new("benchmark").unwrap(), file.with_extension("journal"));
    // All that is captured in the time of a run may wait for the ledger.
    Till::open(ledger.clone(), TillConfig { backlog: u64::MAX, ..config }).await.unwrap()
}

/// [`CALLERS`] tasks, each doing `work` again and again for the time of a run.
async fn callers<W: Future<Output = ()> + Send>(work: impl Fn() -> W + Clone + Send + 'static) -> Vec<Duration> {
    let begin = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..CALLERS {
        let work = work.clone();
        running.spawn(async move {
            let mut each = Vec::new();
            while begin.elapsed() < RUN {
                let since = Instant::now();
                work().await;
                each.push(since.elapsed());
                tokio::task::yield_now().await;
            }
            each
        });
    }
    running.join_all().await.concat()
}

/// Without leases: every request takes a hold and captures it, and each of both is durable before the next.
async fn a_hold_each(file: PathBuf) -> Measured {
    let ledger = Ledger::open(&file).await.unwrap();
    let account = customer(&ledger).await;
    let begin = Instant::now();
    let asked = ledger.clone();
    let each = callers(move || hold_and_capture(asked.clone(), account.clone())).await;
    let whole = begin.elapsed();
    ledger.close().await;
    Measured { each, whole }
}

async fn hold_and_capture(ledger: Ledger, account: AccountId) {
    let (id, request) = (HoldId::random(), request());
    let hold = NewHold {
        id: id.clone(),
        account,
        amount: HELD,
        ahead: Nanos::ZERO,
        expires_at: ledger.clock().now().after(Duration::from_secs(60)),
        owner: OwnerId::new("benchmark").unwrap(),
    };
    ledger.hold(hold).await.unwrap();
    ledger.capture(Capture { hold: id, request, charge: charge(), at_most: None, close: true }).await.unwrap();
}

/// With leases: until all that was captured outlives a crash, and until it is in the ledger. Answers how many times as many
/// requests a second are captured durably as `naive`.
async fn leased(file: PathBuf, naive: f64) -> f64 {
    let ledger = Ledger::open(&file).await.unwrap();
    let account = customer(&ledger).await;
    let till = till(&file, &ledger).await;
    let begin = Instant::now();
    let (asked, payer) = (till.clone(), account.clone());
    let work = move || {
        let (till, account) = (asked.clone(), payer.clone());
        async move {
            till.admit(request(), &account, HELD).await.unwrap().capture(charge());
        }
    };
    let each = callers(work).await;
    till.durable().await;
    let durable = Measured { each, whole: begin.elapsed() };
    durable.print("till: admitted and captured, 64 callers, until durable");
    till.close().await.unwrap();
    let count = durable.each.len();
    let settled = count as f64 / begin.elapsed().as_secs_f64();
    println!("{:<60} {settled:>10.0}", "      the same, until all is in the ledger");
    let charged = ledger.account(&account).await.unwrap().balance;
    let spent = Nanos::from_usd_str("1000000").unwrap().minus_or_zero(charged.posted);
    assert_eq!(spent.as_i64(), i64::try_from(count).unwrap() * charge().split().total.as_i64());
    assert!(ledger.verify().await.unwrap().is_clean());
    ledger.close().await;
    durable.rate() / naive
}

/// What a caller would wait for the journal, if it did.
async fn one_by_one(file: PathBuf) -> Measured {
    let ledger = Ledger::open(&file).await.unwrap();
    let account = customer(&ledger).await;
    let till = till(&file, &ledger).await;
    let (mut each, begin) = (Vec::new(), Instant::now());
    while begin.elapsed() < RUN {
        let since = Instant::now();
        till.admit(request(), &account, HELD).await.unwrap().capture(charge());
        till.durable().await;
        each.push(since.elapsed());
    }
    let whole = begin.elapsed();
    till.close().await.unwrap();
    Measured { each, whole }
}

/// The fast path by itself: admitted and given back.
async fn admissions(file: PathBuf) -> Measured {
    let ledger = Ledger::open(&file).await.unwrap();
    let account = customer(&ledger).await;
    let till = till(&file, &ledger).await;
    let begin = Instant::now();
    let mut each = Vec::with_capacity(1_000_000);
    for _ in 0..1_000_000 {
        let request = request();
        let since = Instant::now();
        drop(till.admit(request, &account, HELD).await.unwrap());
        each.push(since.elapsed());
    }
    Measured { each, whole: begin.elapsed() }
}
