//! What only a server can be: somebody else's, shared, away and back, and spoiled through its own language.

use std::time::Duration;

use peerway_billing::ledger::Check;
use peerway_billing::{Actor, Database, Ledger, LedgerOptions, OpenError};

use crate::databases::{PostgresDatabase, TestDatabase};
use crate::support::{assert_clean, capture, grant, hold, nanos};

type Bench = crate::support::Bench<PostgresDatabase>;

async fn refused(database: &PostgresDatabase) -> OpenError {
    let address: Database = database.url().parse().unwrap();
    let error = Ledger::open_in(&address, LedgerOptions::default()).await.unwrap_err();
    let line = error.to_string();
    assert!(line.contains(&address.to_string()) && !line.contains('\n'), "{line}");
    error
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let database = PostgresDatabase::fresh().await;
    let mut visitor = database.visitor().await;
    visitor.run("CREATE TABLE photos (id BIGINT); INSERT INTO photos VALUES (7)").await.unwrap();
    assert!(matches!(refused(&database).await, OpenError::NotALedger { .. }));
    visitor.run("INSERT INTO photos VALUES (8)").await.unwrap();
    visitor.run("CREATE TABLE accounts (id BIGINT)").await.unwrap();
}

/// Who only looks leaves an empty database empty.
#[tokio::test]
async fn no_ledger_is_made_for_who_wants_one_that_is_there() {
    let database = PostgresDatabase::fresh().await;
    let address: Database = database.url().parse().unwrap();
    let options = || LedgerOptions { make: false, ..LedgerOptions::default() };
    for _ in 0..2 {
        let error = Ledger::open_in(&address, options()).await.unwrap_err();
        assert_eq!(error, OpenError::Missing { place: address.to_string() });
    }
    database.open(LedgerOptions::default()).await.close().await;
    Ledger::open_in(&address, options()).await.unwrap().close().await;
}

#[tokio::test]
async fn a_newer_ledger_is_not_touched() {
    let bench = Bench::new().await;
    let mut visitor = bench.database.visitor().await;
    visitor.run("UPDATE peerway_ledger SET version = 99").await.unwrap();
    assert!(matches!(refused(&bench.database).await, OpenError::Newer { found: 99, .. }));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_in_one_line() {
    let nowhere: Database = "postgres://gateway:hunter2@127.0.0.1:1/money".parse().unwrap();
    let error = Ledger::open_in(&nowhere, LedgerOptions::default()).await.unwrap_err();
    assert!(matches!(error, OpenError::Unusable { .. }), "{error:?}");
    let line = error.to_string();
    assert!(line.contains("postgres://127.0.0.1:1/money") && !line.contains("hunter2"), "{line}");
}

#[tokio::test]
async fn gateways_may_open_an_empty_database_at_once_and_share_one_chain() {
    let database = PostgresDatabase::fresh().await;
    // Each waits for the others' locks, on however slow a machine.
    let options = || LedgerOptions { busy: Duration::from_secs(60), ..LedgerOptions::default() };
    let (one, two) = tokio::join!(database.open(options()), database.open(options()));
    let account = one.create_account("shared", &Actor::operator()).await.unwrap().id;
    one.credit(grant(&account, 1000, "all"), &Actor::operator()).await.unwrap();
    let mut running = tokio::task::JoinSet::new();
    for index in 0..64 {
        let (ledger, account) = (if index % 2 == 0 { one.clone() } else { two.clone() }, account.clone());
        running.spawn(async move {
            let name = format!("h{index}");
            let expires_at = ledger.clock().now().after(Duration::from_secs(600));
            let granted = ledger.hold(hold(&name, &account, 100, expires_at)).await;
            if granted.is_ok() {
                ledger.capture(capture(&name, &name, 100, true)).await.unwrap();
            }
            granted.is_ok()
        });
    }
    let paid = running.join_all().await.into_iter().filter(|granted| *granted).count();
    assert_eq!(paid, 10, "the credit is for ten");
    assert_eq!(two.account(&account).await.unwrap().balance.posted, nanos(0));
    assert_clean(&two).await;
}

#[tokio::test]
async fn connections_that_the_server_ended_are_made_anew() {
    let bench = Bench::new().await;
    let account = bench.customer(10).await;
    let mut visitor = bench.database.visitor().await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    visitor.run(end).await.unwrap();
    bench.ledger.credit(grant(&account, 5, "after"), &Actor::operator()).await.unwrap();
    visitor.run(end).await.unwrap();
    assert_eq!(bench.posted(&account).await, 15);
    bench.verified().await;
}

#[tokio::test]
async fn the_log_cannot_be_truncated() {
    let bench = Bench::new().await;
    bench.customer(10).await;
    let error = bench.database.visitor().await.run("TRUNCATE entries").await.unwrap_err().to_string();
    assert!(error.contains("append-only"), "{error}");
    bench.verified().await;
}

/// Each with what it is found as. Triggers can be switched off here without being dropped.
#[tokio::test]
async fn what_was_changed_behind_the_ledgers_back_is_found() {
    let unguarded = "ALTER TABLE charges DISABLE TRIGGER charges_keep";
    let cases = [
        (Check::Schema, "charges_keep", unguarded),
        (Check::Schema, "charges_keep", "DROP TRIGGER charges_keep ON charges"),
        (
            Check::Schema,
            "keep_log",
            "CREATE OR REPLACE FUNCTION keep_log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        ),
        (Check::Schema, "accounts_covered", "ALTER TABLE accounts DROP CONSTRAINT accounts_covered"),
        (Check::Schema, "holds_open", "DROP INDEX holds_open"),
        (Check::Schema, "entries.note", "ALTER TABLE entries ADD COLUMN note TEXT"),
        (Check::Balances, "account acct_", "UPDATE accounts SET balance = balance + 1 WHERE kind = 'customer'"),
        (Check::Holds, "hold h", "UPDATE holds SET expires_at = expires_at + 1"),
        (
            Check::Chain,
            "transfer 2",
            "ALTER TABLE transfers DISABLE TRIGGER transfers_keep; UPDATE transfers SET memo = 'better' WHERE seq = 2;
             ALTER TABLE transfers ENABLE TRIGGER transfers_keep",
        ),
        (
            Check::Charges,
            "",
            "ALTER TABLE charges DISABLE TRIGGER charges_keep; DELETE FROM charges;
             ALTER TABLE charges ENABLE TRIGGER charges_keep",
        ),
    ];
    for (check, place, spoil) in cases {
        let bench = Bench::new().await;
        let account = bench.customer(1000).await;
        bench.ledger.hold(hold("h", &account, 300, bench.in_secs(600))).await.unwrap();
        bench.ledger.capture(capture("h", "r", 20, false)).await.unwrap();
        bench.verified().await;
        bench.database.visitor().await.run(spoil).await.unwrap();
        let findings = bench.ledger.verify().await.unwrap().findings;
        let found = findings.iter().any(|finding| finding.check == check && finding.place.contains(place));
        assert!(found, "{spoil}: {findings:?}");
    }
}
