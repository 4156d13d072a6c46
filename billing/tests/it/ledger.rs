//! Single rules of the ledger, where a random history would show a breach less plainly.

use std::time::Duration;

use peerway_billing::{
    AccountId, AccountKind, Actor, Amount, Charge, ChargeTerms, Extend, HoldId, HoldState, KeyId, KeyUsage,
    LedgerError, Nanos, OperatorId, PerMillion, Price, Reference, TokenCount, TokenId, Totals,
};

use super::support::{Bench, TestDatabase, capture, charge_of, grant, hold, nanos, owner, request, shown};

fn operator(name: &str) -> AccountId {
    AccountId::of_operator(&OperatorId::new(name).unwrap())
}

#[tokio::test]
async fn a_capture_is_made_once() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    bench.ledger.hold(hold("h", &account, 500, bench.in_secs(60))).await.unwrap();
    let first = bench.ledger.capture(capture("h", "r", 200, false)).await.unwrap();
    let again = bench.ledger.capture(capture("h", "r", 499, true)).await.unwrap();
    assert!(!first.repeated && again.repeated);
    assert_eq!(again.receipt, first.receipt);
    assert_eq!((bench.posted(&account).await, bench.held(&account).await), (800, 300));
    // Also within one batch, and from another process.
    let both = vec![capture("h", "s", 50, false), capture("h", "s", 60, false)];
    let answers = bench.ledger.capture_all(both).await.unwrap();
    assert_eq!(answers.iter().flatten().map(|done| done.repeated).collect::<Vec<_>>(), [false, true]);
    assert!(bench.another().await.capture(capture("h", "s", 70, false)).await.unwrap().repeated);
    assert_eq!(bench.posted(&account).await, 750);
    assert_eq!(bench.posted(&operator("alice")).await, 250);
    bench.verified().await;
}

#[tokio::test]
async fn a_receipt_says_what_was_used_and_paid() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    bench.ledger.hold(hold("h", &account, 500, bench.in_secs(60))).await.unwrap();
    let mut taken = capture("h", "r", 100, true);
    taken.charge = charge_of(100, 550, "alice");
    bench.ledger.capture(taken).await.unwrap();
    let receipt = bench.ledger.charge(&request("r")).await.unwrap();
    assert_eq!(receipt.paid.total, nanos(106)); // 105.5 up
    assert_eq!((receipt.paid.operator, receipt.paid.fee), (nanos(100), nanos(6)));
    assert_eq!((receipt.billed.completion(), receipt.claimed.completion()), (100, 1000));
    assert_eq!(receipt.model, "smol");
    assert_eq!(bench.ledger.charges(&account, 10).await.unwrap(), [receipt]);
    assert_eq!(bench.posted(&AccountId::platform_fees()).await, 6);
    let state = bench.ledger.hold_by_id(&HoldId::new("h").unwrap()).await.unwrap().state;
    assert_eq!(state, HoldState::Closed);
    bench.verified().await;
}

#[tokio::test]
async fn sums_are_told_per_account_and_key_in_windows_of_utc() {
    let bench = Bench::new().await; // Friday, 2027-01-15, 08:00
    let account = bench.customer(1000).await;
    let key = KeyId::new("key_1").unwrap();
    let token = TokenId::new("tok_1").unwrap();
    bench.ledger.hold(hold("h", &account, 900, bench.in_secs(90 * 86_400))).await.unwrap();
    for (name, ask, days_before) in [("a", 100, 0), ("b", 20, 19), ("c", 3, 5), ("d", 4, 1)] {
        // 2027-01-15, 02-03 (Wednesday), 02-08 (Monday), 02-09 (Tuesday)
        bench.hand.advance(Duration::from_secs(days_before * 86_400));
        let minted = (name == "c").then_some(&token);
        let mut taken = capture("h", name, ask, false);
        taken.charge = shown(&taken.charge, Some(&key), minted);
        bench.ledger.capture(taken).await.unwrap();
    }
    bench.ledger.capture(capture("h", "keyless", 500, true)).await.unwrap();
    let usage = bench.ledger.key_usage(&key).await.unwrap();
    let sums = [usage.total, usage.month, usage.week, usage.day].map(Nanos::as_i64);
    assert_eq!((sums, usage.requests), ([127, 27, 7, 4], 4));
    assert_eq!(bench.ledger.key_usage(&KeyId::new("key_2").unwrap()).await.unwrap(), KeyUsage::default());
    let totals = bench.ledger.totals(&account).await.unwrap();
    assert_eq!(totals, Totals { credited: nanos(1000), used: nanos(627) });
    let nobody = AccountId::new("acct_nobody").unwrap();
    assert!(matches!(bench.ledger.totals(&nobody).await, Err(LedgerError::NotFound { .. })));

    let receipt = bench.ledger.charge(&request("c")).await.unwrap();
    assert_eq!((receipt.key, receipt.token), (Some(key), Some(token)));
    assert_eq!(bench.ledger.charge(&request("b")).await.unwrap().token, None);
    bench.verified().await;
}

/// Embeddings: a prompt and no answer.
#[tokio::test]
async fn a_prompt_alone_is_charged() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    bench.ledger.hold(hold("h", &account, 500, bench.in_secs(60))).await.unwrap();
    let mut taken = capture("h", "r", 0, true);
    let price = Price { input: PerMillion::new(2_000_000).unwrap(), ..Price::default() };
    let billed = TokenCount::new(7, 0, 0);
    taken.charge = Charge::new(ChargeTerms { price, billed, ..taken.charge.terms().clone() }).unwrap();
    let receipt = bench.ledger.capture(taken).await.unwrap().receipt;
    assert_eq!((receipt.paid.total, receipt.billed, receipt.shortfall), (nanos(14), billed, nanos(0)));
    assert_eq!(bench.posted(&account).await, 986);
    bench.verified().await;
}

#[tokio::test]
async fn a_credit_is_given_once_per_reference() {
    let bench = Bench::new().await;
    let (account, other) = (bench.customer(0).await, bench.customer(0).await);
    let first = bench.ledger.credit(grant(&account, 70, "pi_1"), &Actor::operator()).await.unwrap();
    let again = bench.another().await.credit(grant(&account, 70, "pi_1"), &Actor::operator()).await.unwrap();
    assert_eq!((again.seq, again.repeated), (first.seq, true));
    for different in [grant(&account, 71, "pi_1"), grant(&other, 70, "pi_1")] {
        let error = bench.ledger.credit(different, &Actor::operator()).await.unwrap_err();
        assert!(matches!(&error, LedgerError::Conflict { what: "credit", .. }), "{error}");
        assert!(error.to_string().contains("pi_1"), "{error}");
    }
    assert_eq!((bench.posted(&account).await, bench.posted(&other).await), (70, 0));
    assert_eq!(bench.posted(&AccountId::platform_grants()).await, -70);
    bench.verified().await;
}

#[tokio::test]
async fn only_customers_are_credited_and_nothing_overflows() {
    let bench = Bench::new().await;
    let account = bench.customer(i64::MAX).await;
    assert_eq!(
        bench.ledger.credit(grant(&account, 1, "more"), &Actor::operator()).await,
        Err(LedgerError::Overflow(peerway_billing::Overflow))
    );
    assert!(matches!(
        bench.ledger.credit(grant(&AccountId::platform_fees(), 1, "x"), &Actor::operator()).await,
        Err(LedgerError::Invalid(_))
    ));
    let nobody = AccountId::new("acct_nobody").unwrap();
    assert!(matches!(
        bench.ledger.credit(grant(&nobody, 1, "y"), &Actor::operator()).await,
        Err(LedgerError::NotFound { .. })
    ));
    let mut wordy = grant(&account, 1, "z");
    wordy.memo = "m".repeat(1025);
    assert!(matches!(bench.ledger.credit(wordy, &Actor::operator()).await, Err(LedgerError::Invalid(_))));
    assert!(Reference::new("two words").is_err());
    assert_eq!(bench.posted(&account).await, i64::MAX);
    bench.verified().await;
}

#[tokio::test]
async fn late_work_is_paid_as_far_as_credit_goes() {
    let bench = Bench::new().await;
    let account = bench.customer(100).await;
    bench.ledger.hold(hold("old", &account, 80, bench.in_secs(1))).await.unwrap();
    bench.hand.advance(Duration::from_secs(2));
    assert_eq!(bench.available(&account).await, 100, "an expired hold counts as released at once");
    bench.ledger.hold(hold("new", &account, 70, bench.in_secs(60))).await.unwrap();
    let done = bench.ledger.capture(capture("old", "r", 80, true)).await.unwrap();
    assert!(done.receipt.late);
    assert_eq!((done.receipt.paid.total, done.receipt.shortfall), (nanos(30), nanos(50)));
    assert_eq!((bench.posted(&account).await, bench.available(&account).await), (70, 0));
    bench.ledger.capture(capture("new", "s", 70, true)).await.unwrap();
    assert_eq!(bench.posted(&account).await, 0);
    bench.verified().await;
}

#[tokio::test]
async fn overdue_holds_are_listed_and_swept() {
    let bench = Bench::new().await;
    let account = bench.customer(100).await;
    bench.ledger.hold(hold("h", &account, 80, bench.in_secs(1))).await.unwrap();
    bench.hand.advance(Duration::from_secs(1));
    let report = bench.ledger.verify().await.unwrap();
    assert!(report.is_clean());
    assert_eq!(report.overdue_holds, [HoldId::new("h").unwrap()]);
    assert_eq!(bench.ledger.sweep().await.unwrap(), 1);
    assert_eq!(bench.ledger.sweep().await.unwrap(), 0);
    assert!(bench.ledger.verify().await.unwrap().overdue_holds.is_empty());
    let more = Extend {
        hold: HoldId::new("h").unwrap(),
        add: Amount::exactly(Nanos::ZERO),
        ahead: Nanos::ZERO,
        expires_at: bench.in_secs(60),
    };
    let ended = LedgerError::HoldEnded { hold: HoldId::new("h").unwrap(), state: HoldState::Expired };
    assert_eq!(bench.ledger.extend(more).await, Err(ended.clone()));
    assert_eq!(bench.ledger.release(&HoldId::new("h").unwrap()).await, Err(ended));
}

#[tokio::test]
async fn sixty_four_holds_on_credit_for_ten() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    let mut asked = tokio::task::JoinSet::new();
    let other = bench.another().await;
    for index in 0..64 {
        let ledger = if index % 2 == 0 { bench.ledger.clone() } else { other.clone() };
        let new = hold(&format!("h{index}"), &account, 100, bench.in_secs(60));
        asked.spawn(async move { ledger.hold(new).await });
    }
    let answers = asked.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 10);
    assert!(
        answers
            .iter()
            .flat_map(|answer| answer.as_ref().err())
            .all(|error| matches!(error, LedgerError::Insufficient { .. }))
    );
    assert_eq!(bench.available(&account).await, 0);
    assert_eq!(bench.ledger.release_owner(&owner()).await.unwrap(), 10);
    assert_eq!(bench.available(&account).await, 1000);
    bench.verified().await;
}

#[tokio::test]
async fn the_log_cannot_be_rewritten() {
    let bench = Bench::new().await;
    let account = bench.customer(1000).await;
    bench.ledger.hold(hold("h", &account, 500, bench.in_secs(60))).await.unwrap();
    bench.ledger.capture(capture("h", "r", 200, true)).await.unwrap();
    let mut visitor = bench.database.visitor().await;
    for statement in [
        "UPDATE transfers SET memo = 'x'",
        "DELETE FROM transfers",
        "UPDATE entries SET amount = 0",
        "DELETE FROM entries",
        "UPDATE charges SET total = 0",
        "DELETE FROM charges",
    ] {
        let error = visitor.run(statement).await.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{statement}: {error}");
    }
    bench.verified().await;
}

#[tokio::test]
async fn the_log_is_written_out_line_by_line() {
    let bench = Bench::new().await;
    let empty = bench.ledger.head().await.unwrap();
    assert_eq!((empty.seq, empty.hash), (0, "0".repeat(64)));
    let account = bench.customer(1000).await;
    bench.ledger.hold(hold("h", &account, 500, bench.in_secs(60))).await.unwrap();
    bench.ledger.capture(capture("h", "r", 200, true)).await.unwrap();
    let mut bytes = Vec::new();
    let lines = bench.ledger.export(&mut bytes).await.unwrap();
    let log: Vec<serde_json::Value> =
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(log.len() as u64, lines);
    let kinds: Vec<&str> = log.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["account", "credit", "account", "charge"]);
    assert_eq!(log[3]["charge"]["total"], 200);
    let head = bench.ledger.head().await.unwrap();
    assert_eq!((log[3]["seq"].as_i64(), log[3]["hash"].as_str()), (Some(head.seq), Some(head.hash.as_str())));
    for line in &log {
        let sum: i64 = line["entries"].as_array().unwrap().iter().map(|entry| entry["amount"].as_i64().unwrap()).sum();
        assert_eq!(sum, 0);
    }
}

#[tokio::test]
async fn accounts_are_listed_page_by_page() {
    let bench = Bench::new().await;
    for _ in 0..5 {
        bench.customer(10).await;
    }
    let all = bench.ledger.accounts(None, 100).await.unwrap();
    assert_eq!(all.len(), 12, "five customers and the platform's seven");
    let rest = bench.ledger.accounts(Some(&all[2].id), 2).await.unwrap();
    assert_eq!(rest, all[3..5]);
    assert_eq!(all.iter().filter(|account| account.kind == AccountKind::Customer).count(), 5);
    assert_eq!(all.iter().map(|account| account.balance.posted.as_i64()).sum::<i64>(), 0);
}

#[tokio::test]
async fn a_closed_ledger_says_so_and_keeps_what_it_had() {
    let bench = Bench::new().await;
    let account = bench.customer(10).await;
    bench.ledger.close().await;
    assert_eq!(bench.ledger.sweep().await, Err(LedgerError::Closed));
    let again = bench.another().await;
    assert_eq!(again.account(&account).await.unwrap().balance.posted, nanos(10));
}

#[tokio::test]
async fn a_database_that_is_away_comes_back() {
    let bench = Bench::new().await;
    let account = bench.customer(10).await;
    let visitor = bench.database.locked().await;
    let error = bench.ledger.credit(grant(&account, 5, "a"), &Actor::operator()).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(bench.posted(&account).await, 10);
    visitor.leave().await;
    assert!(!bench.ledger.credit(grant(&account, 5, "a"), &Actor::operator()).await.unwrap().repeated);
    assert_eq!(bench.posted(&account).await, 15);
    bench.verified().await;
}
