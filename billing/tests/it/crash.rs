//! A process that hammers a ledger is killed with SIGKILL, again and again.
//!
//! What must hold after each kill: the ledger verifies; everything that was acknowledged is there; nobody is
//! charged twice; the account lost exactly the sum of its receipts.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use peerway_billing::{AccountId, Actor, Amount, Ledger, LedgerOptions, Nanos, Till, TillConfig};

use crate::databases::{PostgresDatabase, SqliteFile, TestDatabase};
use crate::support::{assert_clean, capture, charge_of, grant, hold, nanos, owner, request};

const DATABASE: &str = "PEERWAY_TEST_HAMMER_DATABASE";
const JOURNAL: &str = "PEERWAY_TEST_HAMMER_JOURNAL";
const ACCOUNT: &str = "PEERWAY_TEST_HAMMER_ACCOUNT";
const ROUND: &str = "PEERWAY_TEST_HAMMER_ROUND";
/// What one request asks; with 10 % fee it costs 11.
const ASK: i64 = 10;

/// Not a test: the process that is killed. Does nothing unless told where.
#[ignore = "run as a child process by the test below"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hammer() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    let account = AccountId::new(std::env::var(ACCOUNT).unwrap()).unwrap();
    let round = std::env::var(ROUND).unwrap();
    let ledger = open(&database).await;
    let config =
        TillConfig { slice: nanos(200), ..TillConfig::new(owner(), PathBuf::from(std::env::var(JOURNAL).unwrap())) };
    let till = Till::open(ledger.clone(), config).await.unwrap();
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..8 {
        let (ledger, till, account, round) = (ledger.clone(), till.clone(), account.clone(), round.clone());
        workers.spawn(async move {
            for index in 0..1_000_000 {
                let name = format!("{round}-{worker}-{index}");
                if worker % 2 == 0 {
                    through_the_till(&till, &account, &name).await;
                } else {
                    through_the_ledger(&ledger, &account, &name).await;
                }
                say(&name);
            }
        });
    }
    workers.join_all().await;
}

async fn through_the_till(till: &Till, account: &AccountId, name: &str) {
    let admitted = till.admit(request(name), account, Amount::exactly(nanos(11))).await.unwrap();
    admitted.capture(charge_of(ASK, 1000, "alice"));
    till.durable().await;
}

async fn through_the_ledger(ledger: &Ledger, account: &AccountId, name: &str) {
    let expires_at = ledger.clock().now().after(std::time::Duration::from_secs(60));
    ledger.hold(hold(name, account, 11, expires_at)).await.unwrap();
    let mut taken = capture(name, name, ASK, true);
    taken.charge = charge_of(ASK, 1000, "alice");
    ledger.capture(taken.clone()).await.unwrap();
    // As after a lost answer.
    assert!(ledger.capture(taken).await.unwrap().repeated);
}

/// Acknowledges a request to the parent, in one write.
fn say(name: &str) {
    let line = format!("ack {name}\n");
    // The parent may be gone; then nobody needs to know.
    drop(std::io::stdout().write_all(line.as_bytes()));
}

/// Runs the hammer until it has acknowledged `enough` requests, kills it, and answers all it acknowledged.
fn run_and_kill(database: &str, journal: &Path, account: &AccountId, round: usize, enough: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::hammer", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DATABASE, database)
        .env(JOURNAL, journal)
        .env(ACCOUNT, account.as_str())
        .env(ROUND, format!("round{round}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let ack = |line: String| line.split("ack ").nth(1).map(str::to_owned);
    let mut acked: Vec<String> = lines.by_ref().filter_map(ack).take(enough).collect();
    child.kill().unwrap();
    // What it managed to say before the kill; the very last line may be cut.
    let mut rest: Vec<String> = lines.filter_map(ack).collect();
    rest.pop();
    acked.extend(rest);
    assert!(!child.wait().unwrap().success());
    acked
}

async fn open(database: &str) -> Ledger {
    Ledger::open_in(&database.parse().unwrap(), LedgerOptions::default()).await.unwrap()
}

#[tokio::test]
async fn killed_at_any_moment_nothing_acknowledged_is_lost_in_sqlite() {
    let database = SqliteFile::fresh().await;
    kill_again_and_again(&database.url()).await;
}

#[tokio::test]
async fn killed_at_any_moment_nothing_acknowledged_is_lost_in_postgres() {
    let database = PostgresDatabase::fresh().await;
    kill_again_and_again(&database.url()).await;
}

async fn kill_again_and_again(database: &str) {
    let journal = tempfile::tempdir().unwrap();
    let ledger = open(database).await;
    let account = ledger.create_account("hammered", &Actor::operator()).await.unwrap().id;
    let credit = 1_000_000_000;
    ledger.credit(grant(&account, credit, "all"), &Actor::operator()).await.unwrap();
    ledger.close().await;

    let mut acked = HashSet::new();
    for (round, enough) in [1, 7, 40, 90, 160, 333].into_iter().enumerate() {
        let names = run_and_kill(database, journal.path(), &account, round, enough);
        assert!(names.len() >= enough, "round {round}: only {} of {enough}", names.len());
        acked.extend(names);

        let ledger = open(database).await;
        // Charges what was acknowledged by the journal and had not come to the ledger.
        let till = Till::open(ledger.clone(), TillConfig::new(owner(), journal.path().to_owned())).await.unwrap();
        assert_clean(&ledger).await;
        let receipts = ledger.charges(&account, 10_000).await.unwrap();
        assert!(receipts.len() < 10_000, "all receipts are looked at");
        let charged: HashSet<String> = receipts.iter().map(|receipt| receipt.request.to_string()).collect();
        assert_eq!(charged.len(), receipts.len(), "nobody is charged twice");
        let lost: Vec<&String> = acked.difference(&charged).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        assert!(receipts.iter().all(|receipt| receipt.paid.total == nanos(11) && receipt.shortfall == Nanos::ZERO));
        assert!(receipts.iter().all(|receipt| !receipt.late), "replayed before the leases are released");

        let balance = ledger.account(&account).await.unwrap().balance;
        let spent = i64::try_from(receipts.len()).unwrap() * 11;
        assert_eq!((balance.posted, balance.held), (nanos(credit - spent), Nanos::ZERO));
        till.close().await.unwrap();
        ledger.close().await;
    }
}
