//! What somebody without the log can check, and what they are not made to believe.

use std::time::Duration;

use peerway_billing::ledger::Check;
use peerway_billing::{AccountId, CheckpointKey, Ledger, LedgerError, Nanos, Proof, ProofError};
use serde_json::{Value, json};

use super::support::{Bench, TestDatabase, after, assert_clean, capture, fill, hold, part_of, request};

fn key() -> CheckpointKey {
    CheckpointKey::from_seed(&[7; 32]).unwrap()
}

async fn charge(bench: &Bench, account: &AccountId, name: &str, ask: i64) {
    bench.ledger.hold(hold(name, account, ask, bench.in_secs(60))).await.unwrap();
    bench.ledger.capture(capture(name, name, ask, true)).await.unwrap();
}

async fn proof(ledger: &Ledger, name: &str) -> Proof {
    ledger.proof(&request(name)).await.unwrap().expect("under a checkpoint")
}

/// As the file that somebody was given.
fn read(file: &Value) -> Proof {
    serde_json::from_value(file.clone()).unwrap()
}

#[tokio::test]
async fn every_charge_is_proven_under_the_newest_checkpoint() {
    let bench = Bench::new().await;
    assert_eq!(bench.ledger.checkpoint(&key()).await.unwrap().map(|checkpoint| checkpoint.seq), None);
    let customer = bench.customer(10_000).await;
    let mut names = Vec::new();
    // Around the places where subtrees are full, and with a checkpoint now and then.
    for filling in [0, 1, 250, 2, 0, 255, 300] {
        fill(&bench, filling).await;
        let name = format!("r{}", names.len());
        charge(&bench, &customer, &name, 7).await;
        assert!(bench.ledger.proof(&request(&name)).await.unwrap().is_none(), "newer than any checkpoint");
        let checkpoint = bench.ledger.checkpoint(&key()).await.unwrap().unwrap();
        assert_eq!((checkpoint.seq, &checkpoint.key), (bench.ledger.head().await.unwrap().seq, &key().public()));
        names.push(name);
        for name in &names {
            let proven = proof(&bench.ledger, name).await.check(Some(&key().public())).unwrap();
            let receipt = proven.receipt.unwrap();
            assert_eq!((receipt.request.as_str(), receipt.paid.total), (name.as_str(), Nanos::new(7)));
            assert_eq!((proven.checkpoint, proven.key_expected), (checkpoint.clone(), true));
        }
    }
    let again = bench.ledger.checkpoint(&key()).await.unwrap();
    assert_eq!(again, bench.ledger.newest_checkpoint().await.unwrap(), "nothing new, nothing signed");
    let report = bench.ledger.verify().await.unwrap();
    assert_eq!((report.checkpoints, report.checkpoint_keys), (7, vec![key().public()]));
    let unknown = bench.ledger.proof(&request("none")).await.unwrap_err();
    assert!(matches!(unknown, LedgerError::NotFound { what: "charge", .. }), "{unknown}");
    bench.verified().await;
}

#[tokio::test]
async fn two_gateways_sign_one_log() {
    let bench = Bench::new().await;
    let other = bench.another().await;
    fill(&bench, 600).await;
    let mut asked = tokio::task::JoinSet::new();
    for ledger in [&bench.ledger, &other, &bench.ledger, &other] {
        let ledger = ledger.clone();
        asked.spawn(async move { ledger.checkpoint(&key()).await.unwrap().unwrap().seq });
    }
    assert_eq!(asked.join_all().await, [600; 4]);
    assert_eq!(bench.ledger.verify().await.unwrap().checkpoints, 1);
    assert_clean(&other).await;
}

/// Every value of the file is changed, one at a time: no changed file proves anything.
#[tokio::test]
async fn a_changed_proof_proves_nothing() {
    let bench = Bench::new().await;
    let customer = bench.customer(1000).await;
    charge(&bench, &customer, "before", 3).await;
    bench.ledger.hold(hold("h", &customer, 100, bench.in_secs(60))).await.unwrap();
    let mut parted = capture("h", "r", 5, true);
    parted.charge = after(vec![part_of(7, "bob")], &parted.charge);
    bench.ledger.capture(parted).await.unwrap();
    fill(&bench, 20).await;
    bench.ledger.checkpoint(&key()).await.unwrap();
    let good = serde_json::to_value(proof(&bench.ledger, "r").await).unwrap();
    assert!(!read(&good).check(None).unwrap().key_expected);

    let mut places = Vec::new();
    collect(&good, String::new(), &mut places);
    assert!(places.len() > 60, "{}", places.len());
    for place in places {
        let mut bad = good.clone();
        let value = bad.pointer_mut(&place).unwrap();
        *value = match &*value {
            Value::Number(number) => json!(number.as_i64().unwrap() ^ 1),
            Value::String(text) => json!(flipped(text)),
            Value::Null => json!("x"),
            other => panic!("{place} is {other}"),
        };
        let believed = serde_json::from_value::<Proof>(bad).is_ok_and(|proof| proof.check(None).is_ok());
        assert!(!believed, "{place}");
    }

    let stranger = CheckpointKey::from_seed(&[8; 32]).unwrap().public();
    let refused = read(&good).check(Some(&stranger)).unwrap_err();
    assert_eq!(refused, ProofError::Key { found: key().public(), expected: stranger });
}

/// The text with its last character changed, within what its kind may hold.
fn flipped(text: &str) -> String {
    let (rest, last) = text.split_at(text.len().saturating_sub(1));
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}

fn collect(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| collect(value, format!("{place}/{name}"), places));
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| collect(value, format!("{place}/{index}"), places));
        }
        _ => places.push(place),
    }
}

/// Who rewrites the whole log, hash by hash, is found by the checkpoint that was signed before.
#[tokio::test]
async fn a_log_that_ends_before_its_checkpoint_is_found() {
    let bench = Bench::new().await;
    fill(&bench, 9).await;
    bench.ledger.checkpoint(&key()).await.unwrap();
    bench.hand.advance(Duration::from_secs(1));
    bench.ledger.close().await;
    let cut = "DELETE FROM accounts WHERE id = (SELECT reference FROM transfers WHERE seq = 9);
        DELETE FROM transfers WHERE seq = 9";
    bench.database.forge(cut).await;
    let findings = bench.another().await.verify().await.unwrap().findings;
    let found: Vec<_> = findings.iter().map(|finding| (finding.check, finding.place.as_str())).collect();
    assert_eq!(found, [(Check::Checkpoints, "checkpoint 9")], "{findings:?}");
}
