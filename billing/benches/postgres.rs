//! How many captures of one hot account PostgreSQL takes, each durable, on this machine's disk. Bounded time; prints a
//! table.
//!
//! `cargo bench -p peerway-billing --bench postgres`

// Figures for people to read, and a program that may stop where it cannot go on.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use peerway_billing::{
    AccountId, Actor, Amount, Capture, Charge, ChargeTerms, Credit, FeeBps, HoldId, Ledger, LedgerOptions, Nanos,
    NewHold, OperatorId, Outcome, OwnerId, PerMillion, Price, Reference, RequestId, TokenCount,
};
use tokio::task::JoinSet;

/// How long each measurement runs.
const RUN: Duration = Duration::from_secs(5);
/// What one request asks, in nano-USD.
const ASK: u64 = 100;
/// Captures that are handed over together, as a till does when many wait.
const GROUP: usize = 1000;

#[tokio::main(worker_threads = 2)]
async fn main() {
    // `cargo test` runs benches too, with --test: then there is nothing to measure.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    // Not in /tmp, which may be memory; nor beside the build, which the server's user may not be let into.
    let folder = PathBuf::from(format!("/var/tmp/peerway-bench-{}", std::process::id()));
    serve(&folder);
    let url = format!("postgres://postgres@localhost/postgres?host={}", folder.join("socket").display());
    let ledger = Ledger::open_in(&url.parse().unwrap(), LedgerOptions::default()).await.unwrap();
    let account = customer(&ledger).await;
    println!("{:<56} {:>12}", "", "captures/s");
    let naive = captures(&ledger, &account, 1, 1).await;
    println!("{:<56} {naive:>12.0}", "one hot account, one commit each (yardstick)");
    let grouped = captures(&ledger, &account, 4, GROUP).await;
    println!("{:<56} {grouped:>12.0}", format!("one hot account, groups of {GROUP}, 4 at once"));
    println!("{:<56} {:>11.1}×", "groups against the yardstick", grouped / naive);
    let since = Instant::now();
    let report = ledger.verify().await.unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    let rate = report.transfers as f64 / since.elapsed().as_secs_f64();
    println!("{:<56} {rate:>12.0}", "transfers verified a second");
    ledger.close().await;
}

/// Starts a server whose commits are durable; it ends with this process.
fn serve(folder: &Path) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/postgres/testing/server.sh");
    let mut command = Command::new("setsid");
    command.arg("--fork").arg(script).arg(folder).arg(std::process::id().to_string()).arg("on");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    let since = Instant::now();
    while !folder.join("ready").exists() {
        assert!(since.elapsed() < Duration::from_secs(60), "PostgreSQL has not started: see {}/log", folder.display());
        std::thread::sleep(Duration::from_millis(50));
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

/// Captures a second by `callers` tasks, each with a hold of its own on the one account, each handing over `group` at a
/// time and waiting until they are durable.
async fn captures(ledger: &Ledger, account: &AccountId, callers: usize, group: usize) -> f64 {
    let mut running = JoinSet::new();
    let begin = Instant::now();
    for _ in 0..callers {
        let (ledger, account) = (ledger.clone(), account.clone());
        running.spawn(async move {
            let hold = hold(&ledger, &account).await;
            let mut done = 0;
            while begin.elapsed() < RUN {
                let captures = (0..group).map(|_| capture(&hold)).collect();
                done += ledger.capture_all(captures).await.unwrap().into_iter().filter(Result::is_ok).count();
            }
            ledger.release(&hold).await.unwrap();
            done
        });
    }
    let done: usize = running.join_all().await.into_iter().sum();
    done as f64 / begin.elapsed().as_secs_f64()
}

async fn hold(ledger: &Ledger, account: &AccountId) -> HoldId {
    let hold = NewHold {
        id: HoldId::random(),
        account: account.clone(),
        ahead: Nanos::ZERO,
        amount: Amount::exactly(Nanos::from_usd_str("1000").unwrap()),
        expires_at: ledger.clock().now().after(Duration::from_secs(600)),
        owner: OwnerId::new("benchmark").unwrap(),
    };
    ledger.hold(hold).await.unwrap().hold.id
}

fn capture(hold: &HoldId) -> Capture {
    let request = RequestId::new(HoldId::random().as_str()).unwrap();
    let charge = Charge::new(ChargeTerms {
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
    });
    Capture { hold: hold.clone(), request, charge: charge.unwrap(), at_most: None, close: false }
}
