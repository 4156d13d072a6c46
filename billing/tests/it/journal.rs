//! The journal of captures: what is in it is charged, once, whatever happened to the process and to the file.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use peerway_billing::{
    AccountId, AdmitError, JournalError, OpenTillError, OwnerId, Part, Receipt, RequestId, Till, TillConfig,
};

use super::support::{Bench, TestDatabase, after, charge_of, nanos, part_of, request};
use super::till::{admit, config, till};

/// The journal's files, but for its lock.
fn files(bench: &Bench) -> Vec<PathBuf> {
    let entries = fs::read_dir(bench.journal()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.file_name().unwrap() != "lock").collect();
    files.sort();
    files
}

/// Captures `names`, each for `ask`, in one file each, and ends without the ledger having heard of any.
async fn left_behind(bench: &Bench, account: &AccountId, names: &[&str], ask: i64) {
    let ledger = bench.another().await;
    let till = Till::open(ledger.clone(), config(bench)).await.unwrap();
    let mut admitted = Vec::new();
    for name in names {
        admitted.push(admit(&till, name, account, ask).await.unwrap());
    }
    let lock = bench.database.locked().await;
    for admitted in admitted {
        admitted.capture(charge_of(ask, 0, "alice"));
        till.durable().await;
    }
    assert_eq!(till.stats().undurable_captures, 0);
    assert_eq!(till.stats().queued_captures, names.len() as u64);
    drop(till);
    // A question that is under way has failed before the lock is gone.
    ledger.close().await;
    lock.leave().await;
}

async fn receipt(bench: &Bench, name: &str) -> Option<Receipt> {
    bench.ledger.charge(&RequestId::new(name).unwrap()).await.ok()
}

#[tokio::test]
async fn what_was_captured_and_not_charged_is_charged_from_its_own_lease() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    left_behind(&bench, &account, &["a", "b"], 200).await;
    assert_eq!((bench.posted(&account).await, bench.held(&account).await), (1000, 400));
    let till = till(&bench).await;
    assert_eq!((bench.posted(&account).await, bench.held(&account).await), (600, 0));
    let charged = receipt(&bench, "b").await.unwrap();
    assert_eq!((charged.late, charged.paid.total), (false, nanos(200)));
    assert!(files(&bench).is_empty(), "what is in the ledger leaves the journal");
    till.close().await.unwrap();
    bench.verified().await;
}

#[tokio::test]
async fn what_comes_twice_is_charged_once() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    left_behind(&bench, &account, &["a"], 200).await;
    let kept = fs::read(&files(&bench)[0]).unwrap();
    let path = files(&bench)[0].clone();
    drop(till(&bench).await);
    fs::write(&path, kept).unwrap();
    drop(till(&bench).await);
    assert_eq!(bench.posted(&account).await, 800);
    assert!(files(&bench).is_empty());
    bench.verified().await;
}

#[tokio::test]
async fn after_its_lease_a_capture_is_paid_from_what_is_left() {
    let bench = Bench::new().await;
    let account = bench.customer(600).await;
    left_behind(&bench, &account, &["old"], 400).await;
    bench.hand.advance(Duration::from_secs(301));
    let journal = bench.folder.path().join("journal-2");
    let other = TillConfig { owner: OwnerId::new("gateway-2").unwrap(), journal, ..config(&bench) };
    let other = Till::open(bench.another().await, other).await.unwrap();
    let spent = admit(&other, "new", &account, 500).await.unwrap();
    let till = till(&bench).await;
    let charged = receipt(&bench, "old").await.unwrap();
    assert!(charged.late);
    assert_eq!((charged.paid.total, charged.shortfall), (nanos(100), nanos(300)));
    spent.capture(charge_of(500, 0, "bob"));
    other.close().await.unwrap();
    till.close().await.unwrap();
    assert_eq!(bench.posted(&account).await, 0);
    bench.verified().await;
}

#[tokio::test]
async fn an_answer_of_several_nodes_is_replayed_with_all_of_them() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    let ledger = bench.another().await;
    let first = Till::open(ledger.clone(), config(&bench)).await.unwrap();
    let admitted = admit(&first, "a", &account, 300).await.unwrap();
    let lock = bench.database.locked().await;
    let earlier: Vec<Part> = vec![part_of(30, "bob"), part_of(20, "carol")];
    admitted.capture(after(earlier, &charge_of(50, 1000, "alice")));
    first.durable().await;
    drop(first);
    ledger.close().await;
    lock.leave().await;
    drop(till(&bench).await);
    let charged = receipt(&bench, "a").await.unwrap();
    let earned: Vec<(&str, i64)> =
        charged.parts.iter().map(|part| (part.operator.as_str(), part.earned.as_i64())).collect();
    assert_eq!(earned, [("bob", 30), ("carol", 20), ("alice", 50)]);
    assert_eq!(charged.paid.total, nanos(110));
    bench.verified().await;
}

#[tokio::test]
async fn a_torn_end_costs_only_what_was_never_durable() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    left_behind(&bench, &account, &["a", "b", "torn"], 100).await;
    let path = files(&bench)[0].clone();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    drop(till(&bench).await);
    assert_eq!((bench.posted(&account).await, bench.held(&account).await), (800, 0));
    assert!(receipt(&bench, "torn").await.is_none());
    assert!(files(&bench).is_empty());
    bench.verified().await;
}

#[tokio::test]
async fn a_flipped_bit_costs_one_capture_and_the_file_is_kept() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    left_behind(&bench, &account, &["first", "second", "third"], 100).await;
    let path = files(&bench)[0].clone();
    let mut bytes = fs::read(&path).unwrap();
    let second = bytes.windows(6).position(|window| window == b"second").unwrap();
    bytes[second] ^= 1;
    fs::write(&path, &bytes).unwrap();
    drop(till(&bench).await);
    assert_eq!(bench.posted(&account).await, 800);
    assert!(receipt(&bench, "first").await.is_some() && receipt(&bench, "third").await.is_some());
    let kept = files(&bench);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].extension().unwrap(), "kept");
    assert_eq!(fs::read(&kept[0]).unwrap(), bytes, "for people to look at");
    // Not replayed again, and its number is not used again.
    left_behind(&bench, &account, &["fourth"], 100).await;
    assert_eq!(files(&bench).len(), 2);
    drop(till(&bench).await);
    assert_eq!(bench.posted(&account).await, 700);
    assert_eq!(files(&bench), kept);
    bench.verified().await;
}

#[tokio::test]
async fn a_damaged_head_hides_nothing() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    left_behind(&bench, &account, &["a", "b"], 100).await;
    let path = files(&bench)[0].clone();
    let mut bytes = fs::read(&path).unwrap();
    bytes[17] ^= 1; // in the version
    fs::write(&path, &bytes).unwrap();
    drop(till(&bench).await);
    assert_eq!(bench.posted(&account).await, 800);
    bench.verified().await;
}

#[tokio::test]
async fn a_newer_format_is_left_for_the_newer_program() {
    let bench = Bench::new().await;
    fs::create_dir(bench.journal()).unwrap();
    let path = bench.journal().join("00000000000000000007.captures");
    let mut head = b"peerway captures".to_vec();
    head.extend(2_u32.to_le_bytes());
    let sum = crc32fast::hash(&head);
    head.extend(sum.to_le_bytes());
    fs::write(&path, &head).unwrap();
    let error = Till::open(bench.ledger.clone(), config(&bench)).await.unwrap_err();
    assert!(matches!(error, OpenTillError::Journal(JournalError::Newer { found: 2, known: 1, .. })), "{error}");
    assert_eq!(fs::read(&path).unwrap(), head);
}

#[tokio::test]
async fn one_process_at_a_time_and_nobody_else() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    let first = till(&bench).await;
    let error = Till::open(bench.another().await, config(&bench)).await.unwrap_err().to_string();
    assert!(error.contains(&bench.journal().display().to_string()) && error.contains("another process"), "{error}");
    admit(&first, "a", &account, 10).await.unwrap().capture(charge_of(10, 0, "alice"));
    first.durable().await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(bench.journal()), 0o700);
        assert_eq!(mode(files(&bench)[0].clone()), 0o600);
    }
    first.close().await.unwrap();
    drop(first);
    assert!(files(&bench).is_empty(), "nothing is left to replay after a clean end");
    drop(till(&bench).await);
}

/// The folder is gone, as the disk would be. What was captured is not lost, and nothing is sold on.
#[tokio::test]
async fn without_a_journal_nothing_is_sold_and_nothing_is_lost() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    let till = till(&bench).await;
    let running = admit(&till, "a", &account, 100).await.unwrap();
    let later = admit(&till, "b", &account, 100).await.unwrap();
    let aside = bench.folder.path().join("aside");
    fs::rename(bench.journal(), &aside).unwrap();
    running.capture(charge_of(100, 0, "alice"));
    let refused = loop {
        match admit(&till, "c", &account, 1).await {
            Ok(admitted) => drop(admitted), // the thread has not tried yet
            Err(error) => break error,
        }
        tokio::task::yield_now().await;
    };
    assert!(matches!(refused, AdmitError::JournalFails(_)), "{refused}");
    later.capture(charge_of(100, 0, "alice"));
    assert_eq!(till.stats().undurable_captures, 2);
    fs::rename(&aside, bench.journal()).unwrap();
    till.durable().await;
    drop(admit(&till, "d", &account, 1).await.unwrap());
    till.flush().await.unwrap();
    assert_eq!(bench.posted(&account).await, 800);
    till.close().await.unwrap();
    bench.verified().await;
}

/// A capture for a hold that the ledger does not know, as after it was put back from an older copy.
#[tokio::test]
async fn a_capture_that_the_ledger_refuses_is_kept_for_people() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    left_behind(&bench, &account, &["a"], 100).await;
    let other = Bench::new().await;
    let config = TillConfig { journal: bench.journal(), ..config(&bench) };
    drop(Till::open(other.ledger.clone(), config).await.unwrap());
    assert!(other.ledger.charge(&request("a")).await.is_err());
    assert_eq!(files(&bench)[0].extension().unwrap(), "kept");
}
