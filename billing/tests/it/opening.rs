//! Files that are no ledger, or cannot be one.

use std::time::Duration;

use peerway_billing::{Actor, KeyPolicy, Ledger, LedgerOptions, OpenError};
use sqlx::{Connection, SqliteConnection};

use crate::support::{assert_clean, grant};

async fn refused(path: &std::path::Path) -> OpenError {
    let error = Ledger::open(path).await.unwrap_err();
    let line = error.to_string();
    assert!(line.contains(&path.display().to_string()), "{line}");
    assert!(!line.contains('\n'), "{line}");
    error
}

async fn sqlite(path: &std::path::Path, script: &'static str) {
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(script).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_opened_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "These are my notes, and they are longer than a header.\n".repeat(40)).unwrap();
    assert!(matches!(refused(&text).await, OpenError::NotALedger { .. }));
    assert!(std::fs::read_to_string(&text).unwrap().starts_with("These are my notes"));

    assert!(matches!(refused(&text.join("ledger.db")).await, OpenError::Unusable { .. }));
    assert!(matches!(refused(&folder.path().join("no/such/ledger.db")).await, OpenError::Unusable { .. }));
    assert!(matches!(refused(folder.path()).await, OpenError::Unusable { .. }));
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photos.db");
    sqlite(&path, "CREATE TABLE photos (id INTEGER PRIMARY KEY); INSERT INTO photos VALUES (7);").await;
    assert!(matches!(refused(&path).await, OpenError::NotALedger { .. }));
    sqlite(&path, "INSERT INTO photos VALUES (8)").await;
}

#[tokio::test]
async fn no_ledger_is_made_for_who_wants_one_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let options = LedgerOptions { make: false, ..LedgerOptions::default() };
    let error = Ledger::open_with(&path, options).await.unwrap_err();
    assert_eq!(error, OpenError::Missing { place: path.display().to_string() });
    assert!(!path.exists());
}

#[tokio::test]
async fn a_newer_ledger_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    Ledger::open(&path).await.unwrap().close().await;
    sqlite(&path, "PRAGMA user_version = 99").await;
    assert!(matches!(refused(&path).await, OpenError::Newer { found: 99, known: 5.., .. }));
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::open(&path).await.unwrap();
    ledger.create_account("someone", &Actor::operator()).await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
    ledger.close().await;
}

#[tokio::test]
async fn two_processes_may_open_a_new_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let (one, two) = tokio::join!(Ledger::open(&path), Ledger::open(&path));
    let (one, two) = (one.unwrap(), two.unwrap());
    let account = one.create_account("shared", &Actor::operator()).await.unwrap();
    assert_eq!(two.account(&account.id).await.unwrap(), account);
}

/// What schema 1 wrote still stands after the schema is brought up to date, hashes and all, and goes on.
#[tokio::test]
async fn a_ledger_of_the_first_schema_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    sqlite(&path, include_str!("../../sqlite/migrations/0001_ledger.sql")).await;
    sqlite(&path, include_str!("fixtures/schema1.sql")).await;
    let ledger = Ledger::open(&path).await.unwrap();
    assert_clean(&ledger).await;

    let keys = ledger.list_keys(None).await.unwrap();
    assert_eq!(keys.len(), 2);
    for key in &keys {
        assert_eq!((&key.policy, &key.replaced_by, &key.root), (&KeyPolicy::default(), &None, &key.id));
        assert!(ledger.audit(&key.account, None, 10).await.unwrap().is_empty(), "schema 1 had no audit log");
        let again =
            grant(&key.account, if key.revoked_at.is_some() { 1000 } else { 1001 }, &format!("first-{}", key.account));
        assert!(ledger.credit(again, &Actor::operator()).await.unwrap().repeated);
    }
    let live = keys.iter().find(|key| key.revoked_at.is_none()).unwrap();
    let next = ledger.rotate_key(&live.id, Duration::from_secs(60), &Actor::operator()).await.unwrap();
    assert_eq!(next.record.root, live.id);
    assert_eq!(ledger.audit(&live.account, None, 10).await.unwrap().len(), 2);
    assert_eq!(
        ledger.charges(&live.account, 10).await.unwrap().iter().filter(|charge| charge.token.is_none()).count(),
        2
    );
    assert_clean(&ledger).await;
    ledger.close().await;
}
