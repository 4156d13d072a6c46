//! Whatever is changed behind the ledger's back is found.

use std::path::Path;
use std::time::Duration;

use peerway_billing::ledger::{Check, VerifyReport};
use peerway_billing::{
    AccountId, Actor, BudgetLimits, CheckpointKey, Clock, Deposit, Dispute, DisputeEnd, KeyChange, Ledger, OwnerId,
    Reference, Refund, RefundEnd, Role, Source,
};
use sqlx::{Connection, SqliteConnection};

use crate::databases::SqliteFile;
use crate::support::{START, after, capture, fill, hold, key_of, nanos, options, part_of, subject};

type Bench = crate::support::Bench<SqliteFile>;

/// A file with something in every table: open and ended holds, charges, keys live and revoked.
async fn full_file() -> Bench {
    let bench = Bench::new().await;
    for index in 0..2 {
        let account = bench.customer(1000 + index).await;
        let names = [format!("open{index}"), format!("closed{index}")];
        for name in &names {
            bench.ledger.hold(hold(name, &account, 300, bench.in_secs(600))).await.unwrap();
        }
        bench.ledger.capture(capture(&names[0], &format!("r{index}"), 20, false)).await.unwrap();
        bench.ledger.capture(capture(&names[1], &format!("s{index}"), 30, true)).await.unwrap();
        let mut parted = capture(&names[0], &format!("t{index}"), 5, false);
        parted.charge = after(vec![part_of(7, "bob"), part_of(3, "alice")], &parted.charge);
        bench.ledger.capture(parted).await.unwrap();
        let person = subject(&format!("p{index}"));
        bench.ledger.put_member(&account, &person, Role::Owner, "a person", &Actor::operator()).await.unwrap();
        let changed = bench.ledger.create_key(key_of(&account, "to change"), &Actor::operator()).await.unwrap();
        let change = KeyChange { name: Some("changed".to_owned()), ..KeyChange::default() };
        bench.ledger.update_key(&changed.record.id, change, &Actor::subject(person)).await.unwrap();
        bench.ledger.rotate_key(&changed.record.id, Duration::from_secs(60), &Actor::operator()).await.unwrap();
        let key = bench.ledger.create_key(key_of(&account, "a key"), &Actor::operator()).await.unwrap();
        if index == 0 {
            bench.ledger.revoke_key(&key.record.id, &Actor::operator()).await.unwrap();
            bench.ledger.set_frozen(&account, true, &Actor::operator()).await.unwrap();
        }
    }
    let customer = bench.customer(0).await;
    pay(&bench, &customer).await;
    let budgets = BudgetLimits { day: Some(nanos(1)), ..BudgetLimits::default() };
    let spender = bench.customer(100).await;
    bench.ledger.put_alert_hook(&spender, "https://a.example", budgets, "whsec", &Actor::operator()).await.unwrap();
    bench.ledger.hold(hold("spent", &spender, 5, bench.in_secs(600))).await.unwrap();
    bench.ledger.capture(capture("spent", "u", 5, true)).await.unwrap();
    assert_eq!(bench.ledger.raise_alerts().await.unwrap(), 4);
    let key = CheckpointKey::from_seed(&[7; 32]).unwrap();
    bench.ledger.checkpoint(&key).await.unwrap();
    fill(&bench, 250).await; // more than one kept subtree
    bench.ledger.checkpoint(&key).await.unwrap();
    for name in ["gateway-1", "gateway-2"] {
        bench.ledger.take_over(&OwnerId::new(name).unwrap()).await.unwrap();
    }
    bench.verified().await;
    bench.ledger.close().await;
    bench
}

/// Payments, refunds and disputes, open and ended.
async fn pay(bench: &Bench, customer: &AccountId) {
    let (ledger, by, source) = (&bench.ledger, Actor::Payments(Source::Stripe), Source::Stripe);
    let name = |name: &str| Reference::new(name).unwrap();
    let (account, amount, memo) = (customer.clone(), nanos(50), "a memo".to_owned());
    for reference in ["pi_1", "pi_2"].map(name) {
        let (account, memo) = (account.clone(), memo.clone());
        ledger.deposit(Deposit { account, amount, source, reference, memo }, &by).await.unwrap();
    }
    for reference in ["re_1", "re_2"].map(name) {
        let (account, memo, amount) = (account.clone(), memo.clone(), nanos(5));
        ledger.refund(Refund { account, amount, source, reference, memo }, &by).await.unwrap();
    }
    ledger.end_refund(&name("re_1"), RefundEnd::Paid, &by).await.unwrap();
    for reference in ["du_1", "du_2", "du_3"].map(name) {
        let (account, memo) = (account.clone(), memo.clone());
        ledger.dispute(Dispute { account, amount, source, reference, memo }, &by).await.unwrap();
    }
    ledger.end_dispute(&name("du_1"), DisputeEnd::Won, &by).await.unwrap();
    ledger.end_dispute(&name("du_2"), DisputeEnd::Lost, &by).await.unwrap();
}

/// Edits as somebody would who knows the schema: triggers and checks out of the way, and back afterwards.
async fn edit(path: &Path, statement: String) -> u64 {
    let url = format!("sqlite://{}", path.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let triggers: Vec<(String, String)> = sqlx::query_as("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    for (name, _) in &triggers {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("DROP TRIGGER {name}"))).execute(&mut connection).await.unwrap();
    }
    sqlx::raw_sql("PRAGMA ignore_check_constraints = ON").execute(&mut connection).await.unwrap();
    let changed = sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap().rows_affected();
    for (_, sql) in triggers {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    changed
}

async fn verify_copy(original: &Path, statement: String) -> VerifyReport {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    std::fs::copy(original, &path).unwrap();
    assert_eq!(edit(&path, statement.clone()).await, 1, "{statement} changes one row");
    let ledger = Ledger::open_with(path, options(Clock::manual(START).0)).await.unwrap();
    let report = ledger.verify().await.unwrap();
    ledger.close().await;
    assert!(!report.is_clean(), "not found: {statement}");
    report
}

const TABLES: [(&str, &str); 14] = [
    ("accounts", "id"),
    ("transfers", "seq"),
    ("entries", "transfer"),
    ("charges", "request_id"),
    ("charge_parts", "transfer"),
    ("holds", "id"),
    ("owners", "owner"),
    ("keys", "id"),
    ("members", "subject"),
    ("usage_days", "account"),
    ("checkpoints", "seq"),
    ("merkle_nodes", "place"),
    ("alert_hooks", "account"),
    ("alerts", "id"),
];

/// One of the rows that a transfer has several of.
fn first_line(table: &str) -> &'static str {
    match table {
        "entries" => " AND line = 0",
        "charge_parts" => " AND part = 0",
        _ => "",
    }
}

#[tokio::test]
async fn every_column_of_every_table_is_watched() {
    let bench = full_file().await;
    let url = format!("sqlite://{}", bench.database.path().display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let mut cases = Vec::new();
    for (table, key) in TABLES {
        let columns: Vec<(String, String)> = sqlx::query_as("SELECT name, type FROM pragma_table_info(?1)")
            .bind(table)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        assert!(columns.len() >= 3, "{table}");
        for (column, kind) in columns {
            let new = match kind.as_str() {
                "INTEGER" => format!("1000 + COALESCE({column}, 7)"),
                _ => format!("COALESCE({column}, '') || 'x'"),
            };
            // The first, and the last row.
            for order in ["ASC", "DESC"] {
                let row = format!("(SELECT {key} FROM {table} ORDER BY {key} {order} LIMIT 1)");
                let more = first_line(table);
                let row_is = format!("{key} = {row}{more}");
                cases.push(format!("UPDATE {table} SET {column} = {new} WHERE {row_is}"));
            }
        }
    }
    connection.close().await.unwrap();
    assert!(cases.len() > 100);
    for case in cases {
        verify_copy(&bench.database.path(), case).await;
    }
}

#[tokio::test]
async fn a_missing_row_is_missed() {
    let bench = full_file().await;
    // Nobody misses a checkpoint but who was given it, and an alert that is gone is raised again.
    for (table, key) in TABLES.into_iter().filter(|(table, _)| !["checkpoints", "alerts"].contains(table)) {
        for order in ["ASC", "DESC"] {
            let row = format!("(SELECT {key} FROM {table} ORDER BY {key} {order} LIMIT 1)");
            let more = first_line(table);
            // Opening an account has no entries: the first transfer is deleted from its own table all the same.
            verify_copy(&bench.database.path(), format!("DELETE FROM {table} WHERE {key} = {row}{more}")).await;
        }
    }
}

#[tokio::test]
async fn the_first_bad_row_is_named() {
    let bench = full_file().await;
    let report =
        verify_copy(&bench.database.path(), "UPDATE transfers SET memo = 'better' WHERE seq = 2".to_owned()).await;
    let places: Vec<(Check, &str)> =
        report.findings.iter().map(|finding| (finding.check, finding.place.as_str())).collect();
    assert_eq!(places, [(Check::Chain, "transfer 2")]);

    let report = verify_copy(
        &bench.database.path(),
        "UPDATE accounts SET balance = balance + 1 WHERE id = 'operator:alice'".to_owned(),
    )
    .await;
    assert_eq!(report.findings.len(), 1);
    assert_eq!(
        (report.findings[0].check, report.findings[0].place.as_str()),
        (Check::Balances, "account operator:alice")
    );
    assert!(report.findings[0].message.contains("122"), "{:?}", report.findings);

    let stolen =
        "INSERT INTO keys VALUES ('key_0', 'acct_0', 'mine', 'sk-pw-0000', 'abc', 0, NULL, '{}', NULL, 'key_0')"
            .to_owned();
    let report = verify_copy(&bench.database.path(), stolen).await;
    assert_eq!((report.findings[0].check, report.findings[0].place.as_str()), (Check::Keys, "key key_0"));
}

/// What one hand-made row or edit of access is found as, and where.
#[tokio::test]
async fn access_that_nobody_gave_is_found() {
    let bench = full_file().await;
    let account = "(SELECT account FROM members ORDER BY subject LIMIT 1)";
    let live = "id = (SELECT id FROM keys WHERE revoked_at IS NULL AND replaced_by IS NULL LIMIT 1)";
    let cases = [
        (Check::Keys, format!("UPDATE keys SET policy = '{{\"scopes\":[\"admin\"]}}' WHERE {live}")),
        (Check::Keys, format!("UPDATE keys SET replaced_by = 'key_0' WHERE {live}")),
        (Check::Keys, "UPDATE keys SET root = id WHERE id = (SELECT id FROM keys WHERE root <> id LIMIT 1)".to_owned()),
        (Check::Keys, format!("UPDATE keys SET root = 'key_0' WHERE {live}")),
        (Check::Keys, format!("UPDATE keys SET name = 'other' WHERE {live}")),
        (Check::Keys, "UPDATE keys SET revoked_at = NULL WHERE revoked_at IS NOT NULL".to_owned()),
        (Check::Keys, format!("DELETE FROM keys WHERE {live}")),
        (Check::Members, format!("INSERT INTO members VALUES ({account}, 'mallory', 'owner', '', 0)")),
        (Check::Members, format!("UPDATE members SET role = 'viewer' WHERE account = {account}")),
        (Check::Members, format!("DELETE FROM members WHERE account = {account}")),
        (
            Check::Chain,
            "UPDATE transfers SET audit = replace(audit, 'operator', 'key:key_0')
             WHERE seq = (SELECT min(seq) FROM transfers WHERE kind = 'key')"
                .to_owned(),
        ),
        (
            Check::Chain,
            "UPDATE transfers SET audit_account = 'acct_0'
             WHERE seq = (SELECT min(seq) FROM transfers WHERE kind = 'key')"
                .to_owned(),
        ),
        (
            Check::Chain,
            "UPDATE transfers SET audit = NULL, audit_account = NULL
             WHERE seq = (SELECT max(seq) FROM transfers WHERE kind = 'key')"
                .to_owned(),
        ),
        (
            Check::Chain,
            "UPDATE transfers SET audit = '{}', audit_account = 'acct_0'
             WHERE seq = (SELECT max(seq) FROM transfers WHERE kind = 'charge')"
                .to_owned(),
        ),
        (
            Check::Chain,
            "DELETE FROM transfers WHERE seq = (SELECT max(seq) FROM transfers WHERE kind = 'member')".to_owned(),
        ),
        (
            Check::Chain,
            "INSERT INTO transfers
             SELECT (SELECT max(seq) + 1 FROM transfers), kind, 'x', memo, created_at,
                    (SELECT hash FROM transfers ORDER BY seq DESC), hash, audit_account, audit
             FROM transfers WHERE kind = 'key_change' LIMIT 1"
                .to_owned(),
        ),
    ];
    for (check, case) in cases {
        let report = verify_copy(&bench.database.path(), case.clone()).await;
        assert!(report.findings.iter().any(|finding| finding.check == check), "{case}: {:?}", report.findings);
    }
}

#[tokio::test]
async fn a_missing_guard_is_noticed() {
    let bench = full_file().await;
    let url = format!("sqlite://{}", bench.database.path().display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("DROP TRIGGER charges_keep_update").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let ledger = bench.another().await;
    let findings = ledger.verify().await.unwrap().findings;
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].check, findings[0].place.as_str()), (Check::Schema, "schema of charges_keep_update"));
}

/// A forger who recomputes one transfer's hash is found at the next, and one who cuts off the end by the balances.
#[tokio::test]
async fn the_end_of_the_log_cannot_be_cut_off() {
    let bench = full_file().await;
    let newest = "(SELECT max(transfer) FROM charges)";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    std::fs::copy(bench.database.path(), &path).unwrap();
    for table in ["entries", "transfers"] {
        let column = if table == "entries" { "transfer" } else { "seq" };
        edit(&path, format!("DELETE FROM {table} WHERE {column} >= {newest}")).await;
    }
    edit(&path, format!("DELETE FROM charges WHERE transfer = {newest}")).await;
    let ledger = Ledger::open_with(path, options(Clock::manual(START).0)).await.unwrap();
    let checks: Vec<Check> = ledger.verify().await.unwrap().findings.iter().map(|finding| finding.check).collect();
    assert!(checks.contains(&Check::Balances) && !checks.contains(&Check::Chain), "{checks:?}");
}

/// Single flipped bits in the raw file: whatever they do, checking them neither panics nor hangs, and what the
/// log says is either unchanged or found to be changed.
#[tokio::test]
async fn flipped_bits_on_disk_never_pass_as_another_log() {
    use rand::{Rng, SeedableRng};
    let bench = full_file().await;
    let good = std::fs::read(bench.database.path()).unwrap();
    let expected = exported(&bench.database.path()).await.unwrap();
    let mut rng = rand::rngs::StdRng::seed_from_u64(7);
    let (mut found, folder) = (0, tempfile::tempdir().unwrap());
    for round in 0..300 {
        let mut bad = good.clone();
        let place = rng.random_range(0..bad.len());
        bad[place] ^= 1 << rng.random_range(0..8);
        let path = folder.path().join(format!("{round}.db"));
        std::fs::write(&path, &bad).unwrap();
        let Ok(ledger) = Ledger::open(&path).await else {
            found += 1;
            continue;
        };
        let clean = ledger.verify().await.is_ok_and(|report| report.is_clean());
        ledger.close().await;
        if clean {
            assert_eq!(exported(&path).await.as_ref(), Some(&expected), "byte {place}");
        } else {
            found += 1;
        }
    }
    assert!(found > 10, "only {found} of 300 flips were found");
}

async fn exported(path: &Path) -> Option<Vec<u8>> {
    let ledger = Ledger::open(path).await.ok()?;
    let mut bytes = Vec::new();
    let lines = ledger.export(&mut bytes).await.ok();
    ledger.close().await;
    lines.map(|_| bytes)
}
