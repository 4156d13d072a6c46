//! Money from outside: once per reference, and below zero only by a dispute.

use peerway_billing::ledger::Check;
use peerway_billing::{
    Account, AccountId, Actor, Deposit, Dispute, DisputeEnd, LedgerError, Moved, Reference, Refund, RefundEnd, Source,
};
use serde_json::json;

use super::support::{Bench, TestDatabase, capture, grant, hold, nanos};

const BY_STRIPE: Actor = Actor::Payments(Source::Stripe);

fn reference(name: &str) -> Reference {
    Reference::new(name).unwrap()
}

fn deposit(account: &AccountId, amount: i64, name: &str) -> Deposit {
    let memo = "a card".to_owned();
    Deposit {
        account: account.clone(),
        amount: nanos(amount),
        source: Source::Stripe,
        reference: reference(name),
        memo,
    }
}

fn refund(account: &AccountId, amount: i64, name: &str) -> Refund {
    let memo = "not needed".to_owned();
    Refund { account: account.clone(), amount: nanos(amount), source: Source::Stripe, reference: reference(name), memo }
}

fn dispute(account: &AccountId, amount: i64, name: &str) -> Dispute {
    let memo = "fraudulent".to_owned();
    Dispute {
        account: account.clone(),
        amount: nanos(amount),
        source: Source::Stripe,
        reference: reference(name),
        memo,
    }
}

async fn paid_in(bench: &Bench, account: &AccountId, amount: i64, name: &str) -> Moved {
    bench.ledger.deposit(deposit(account, amount, name), &BY_STRIPE).await.unwrap()
}

async fn account(bench: &Bench, id: &AccountId) -> Account {
    bench.ledger.account(id).await.unwrap()
}

/// What lies on the platform's accounts: Stripe, chain, refunds, disputes.
async fn platform(bench: &Bench) -> [i64; 4] {
    let ids = [
        AccountId::platform_stripe(),
        AccountId::platform_chain(),
        AccountId::platform_refunds(),
        AccountId::platform_disputes(),
    ];
    let mut balances = [0; 4];
    for (balance, id) in balances.iter_mut().zip(ids) {
        *balance = bench.posted(&id).await;
    }
    balances
}

#[tokio::test]
async fn a_payment_is_credited_once_whoever_tells() {
    let bench = Bench::new().await;
    let customer = bench.customer(0).await;
    let first = paid_in(&bench, &customer, 500, "pi_1").await;
    assert_eq!((first.account.balance.posted, first.repeated), (nanos(500), false));
    let reworded = Deposit { memo: "told by the reconciler".to_owned(), ..deposit(&customer, 500, "pi_1") };
    let again = bench.ledger.deposit(reworded, &Actor::operator()).await.unwrap();
    assert_eq!((again.seq, again.repeated), (first.seq, true));

    let other = bench.customer(0).await;
    for wrong in [
        deposit(&customer, 501, "pi_1"),
        deposit(&other, 500, "pi_1"),
        Deposit { source: Source::Chain, ..deposit(&customer, 500, "pi_1") },
    ] {
        let error = bench.ledger.deposit(wrong, &BY_STRIPE).await.unwrap_err();
        assert!(matches!(error, LedgerError::Conflict { what: "deposit", .. }), "{error}");
    }
    for nothing in [0, -5] {
        let error = bench.ledger.deposit(deposit(&customer, nothing, "pi_2"), &BY_STRIPE).await.unwrap_err();
        assert!(error.to_string().contains("more than nothing"), "{error}");
    }
    let on_chain = Deposit { source: Source::Chain, ..deposit(&customer, 70, "base:0xabc:3") };
    bench.ledger.deposit(on_chain, &Actor::Payments(Source::Chain)).await.unwrap();
    // The same reference as a grant is another thing.
    bench.ledger.credit(grant(&customer, 1, "pi_1"), &Actor::operator()).await.unwrap();
    assert_eq!(bench.posted(&customer).await, 571);
    assert_eq!(platform(&bench).await, [-500, -70, 0, 0]);
    bench.verified().await;
}

#[tokio::test]
async fn copies_of_one_payment_at_once_are_one_payment() {
    let bench = Bench::new().await;
    let customer = bench.customer(0).await;
    let other = bench.another().await;
    let tell = |index: usize| {
        let ledger = if index.is_multiple_of(2) { bench.ledger.clone() } else { other.clone() };
        let deposit = deposit(&customer, 9, "pi_1");
        tokio::spawn(async move { ledger.deposit(deposit, &BY_STRIPE).await.unwrap().repeated })
    };
    let told: Vec<_> = (0..100).map(tell).collect();
    let mut firsts = 0;
    for answer in told {
        firsts += usize::from(!answer.await.unwrap());
    }
    assert_eq!((firsts, bench.posted(&customer).await), (1, 9));
    bench.verified().await;
}

#[tokio::test]
async fn only_unused_credit_is_refunded() {
    let bench = Bench::new().await;
    let customer = bench.customer(0).await;
    paid_in(&bench, &customer, 100, "pi_1").await;
    bench.ledger.hold(hold("h", &customer, 30, bench.in_secs(60))).await.unwrap();
    let error = bench.ledger.refund(refund(&customer, 71, "re_1"), &BY_STRIPE).await.unwrap_err();
    assert!(matches!(error, LedgerError::Insufficient { available, .. } if available == nanos(70)), "{error}");

    let begun = bench.ledger.refund(refund(&customer, 70, "re_1"), &BY_STRIPE).await.unwrap();
    assert_eq!(begun.account.balance.available, nanos(0));
    assert_eq!(platform(&bench).await, [-100, 0, 70, 0]);
    // Asked again when nothing is available any more.
    assert!(bench.ledger.refund(refund(&customer, 70, "re_1"), &BY_STRIPE).await.unwrap().repeated);
    let error = bench.ledger.refund(refund(&customer, 60, "re_1"), &BY_STRIPE).await.unwrap_err();
    assert!(matches!(error, LedgerError::Conflict { .. }), "{error}");
    let elsewhere = Refund { source: Source::Chain, ..refund(&customer, 70, "re_1") };
    let error = bench.ledger.refund(elsewhere, &BY_STRIPE).await.unwrap_err();
    assert!(matches!(error, LedgerError::Conflict { .. }), "{error}");

    let failed = bench.ledger.end_refund(&reference("re_1"), RefundEnd::Failed, &BY_STRIPE).await.unwrap();
    assert_eq!((failed.account.balance.available, failed.repeated), (nanos(70), false));
    assert!(bench.ledger.end_refund(&reference("re_1"), RefundEnd::Failed, &BY_STRIPE).await.unwrap().repeated);
    let error = bench.ledger.end_refund(&reference("re_1"), RefundEnd::Paid, &BY_STRIPE).await.unwrap_err();
    assert!(matches!(error, LedgerError::Conflict { what: "refund_end", .. }), "{error}");

    bench.ledger.refund(refund(&customer, 40, "re_2"), &BY_STRIPE).await.unwrap();
    bench.ledger.end_refund(&reference("re_2"), RefundEnd::Paid, &BY_STRIPE).await.unwrap();
    assert_eq!((bench.posted(&customer).await, platform(&bench).await), (60, [-60, 0, 0, 0]));
    let error = bench.ledger.end_refund(&reference("re_3"), RefundEnd::Paid, &BY_STRIPE).await.unwrap_err();
    assert!(matches!(error, LedgerError::NotFound { what: "refund", .. }), "{error}");
    bench.verified().await;
}

#[tokio::test]
async fn who_is_frozen_gets_money_back_only_from_the_operator() {
    let bench = Bench::new().await;
    let customer = bench.customer(0).await;
    paid_in(&bench, &customer, 100, "pi_1").await;
    bench.ledger.set_frozen(&customer, true, &Actor::operator()).await.unwrap();
    let error = bench.ledger.refund(refund(&customer, 100, "re_1"), &BY_STRIPE).await.unwrap_err();
    assert_eq!(error, LedgerError::Frozen(customer.clone()));
    bench.ledger.refund(refund(&customer, 100, "re_1"), &Actor::operator()).await.unwrap();
    paid_in(&bench, &customer, 10, "pi_2").await; // a frozen account takes payments
    assert_eq!(bench.posted(&customer).await, 10);
    bench.verified().await;
}

#[tokio::test]
async fn a_dispute_debits_below_zero_and_freezes_until_it_is_won() {
    let bench = Bench::new().await;
    let customer = bench.customer(0).await;
    paid_in(&bench, &customer, 100, "pi_1").await;
    bench.ledger.hold(hold("under_way", &customer, 30, bench.in_secs(60))).await.unwrap();
    bench.ledger.hold(hold("done", &customer, 60, bench.in_secs(60))).await.unwrap();
    bench.ledger.capture(capture("done", "r1", 60, true)).await.unwrap();

    let opened = bench.ledger.dispute(dispute(&customer, 100, "du_1"), &BY_STRIPE).await.unwrap();
    let Account { balance, frozen, disputes, .. } = opened.account;
    assert_eq!((balance.posted, balance.available, frozen, disputes), (nanos(-60), nanos(0), true, 1));
    assert_eq!(platform(&bench).await, [-100, 0, 0, 100]);
    assert!(bench.ledger.dispute(dispute(&customer, 100, "du_1"), &BY_STRIPE).await.unwrap().repeated);
    assert_eq!(account(&bench, &customer).await.disputes, 1);
    let error = bench.ledger.hold(hold("new", &customer, 1, bench.in_secs(60))).await.unwrap_err();
    assert_eq!(error, LedgerError::Frozen(customer.clone()));
    let error = bench.ledger.set_frozen(&customer, false, &Actor::operator()).await.unwrap_err();
    assert!(error.to_string().contains("open disputes"), "{error}");
    bench.verified().await;

    // Work that was admitted before is paid out of its hold.
    let receipt = bench.ledger.capture(capture("under_way", "r2", 25, true)).await.unwrap().receipt;
    assert_eq!((receipt.paid.total, receipt.shortfall), (nanos(25), nanos(0)));
    assert_eq!(bench.posted(&customer).await, -85);
    bench.verified().await;

    let won = bench.ledger.end_dispute(&reference("du_1"), DisputeEnd::Won, &BY_STRIPE).await.unwrap().account;
    assert_eq!((won.balance.posted, won.frozen, won.disputes), (nanos(15), false, 0));
    assert!(bench.ledger.end_dispute(&reference("du_1"), DisputeEnd::Won, &BY_STRIPE).await.unwrap().repeated);
    let error = bench.ledger.end_dispute(&reference("du_1"), DisputeEnd::Lost, &BY_STRIPE).await.unwrap_err();
    assert!(matches!(error, LedgerError::Conflict { what: "dispute_end", .. }), "{error}");
    assert_eq!(platform(&bench).await, [-100, 0, 0, 0]);
    bench.ledger.hold(hold("new", &customer, 15, bench.in_secs(60))).await.unwrap();
    bench.verified().await;
}

#[tokio::test]
async fn a_lost_dispute_leaves_the_debt_and_the_freeze() {
    let bench = Bench::new().await;
    let customer = bench.customer(0).await;
    paid_in(&bench, &customer, 100, "pi_1").await;
    bench.ledger.hold(hold("h", &customer, 80, bench.in_secs(60))).await.unwrap();
    bench.ledger.capture(capture("h", "r1", 80, true)).await.unwrap();
    bench.ledger.dispute(dispute(&customer, 60, "du_1"), &BY_STRIPE).await.unwrap();
    bench.ledger.dispute(dispute(&customer, 40, "du_2"), &BY_STRIPE).await.unwrap();
    let lost = bench.ledger.end_dispute(&reference("du_1"), DisputeEnd::Lost, &BY_STRIPE).await.unwrap().account;
    assert_eq!((lost.balance.posted, lost.frozen, lost.disputes), (nanos(-80), true, 1));
    let won = bench.ledger.end_dispute(&reference("du_2"), DisputeEnd::Won, &BY_STRIPE).await.unwrap().account;
    assert_eq!((won.balance.posted, won.frozen, won.disputes), (nanos(-40), true, 0));
    assert_eq!(platform(&bench).await, [-40, 0, 0, 0]);
    bench.verified().await;

    let error = bench.ledger.set_frozen(&customer, false, &Actor::operator()).await.unwrap_err();
    assert!(error.to_string().contains("owes"), "{error}");
    paid_in(&bench, &customer, 40, "pi_2").await;
    assert!(account(&bench, &customer).await.frozen, "somebody has to say so");
    let thawed = bench.ledger.set_frozen(&customer, false, &Actor::operator()).await.unwrap();
    assert!(!thawed.frozen);
    bench.verified().await;
}

#[tokio::test]
async fn a_won_dispute_does_not_end_somebody_elses_freeze() {
    let bench = Bench::new().await;
    let customer = bench.customer(0).await;
    paid_in(&bench, &customer, 100, "pi_1").await;
    bench.ledger.set_frozen(&customer, true, &Actor::operator()).await.unwrap();
    bench.ledger.dispute(dispute(&customer, 100, "du_1"), &BY_STRIPE).await.unwrap();
    let won = bench.ledger.end_dispute(&reference("du_1"), DisputeEnd::Won, &BY_STRIPE).await.unwrap().account;
    assert!(won.frozen);
    bench.verified().await;
}

#[tokio::test]
async fn the_log_says_who_told_of_it() {
    let bench = Bench::new().await;
    let customer = bench.customer(0).await;
    paid_in(&bench, &customer, 100, "pi_1").await;
    bench.ledger.refund(refund(&customer, 5, "re_1"), &Actor::operator()).await.unwrap();
    bench.ledger.end_refund(&reference("re_1"), RefundEnd::Paid, &BY_STRIPE).await.unwrap();
    bench.ledger.dispute(dispute(&customer, 100, "du_1"), &BY_STRIPE).await.unwrap();
    bench.ledger.end_dispute(&reference("du_1"), DisputeEnd::Lost, &BY_STRIPE).await.unwrap();
    let told = bench.ledger.audit(&customer, None, 5).await.unwrap();
    let told: Vec<_> = told
        .iter()
        .rev()
        .map(|entry| (entry.actor.to_string(), entry.action.to_string(), entry.target.clone(), entry.detail.clone()))
        .collect();
    let says = |actor: &str, action: &str, target: &str, detail| {
        (actor.to_owned(), action.to_owned(), target.to_owned(), detail)
    };
    let money = |amount: i64, memo: &str| json!({"amount_nano_usd": amount, "source": "stripe", "memo": memo});
    let expected = [
        says("payments:stripe", "deposit.posted", "pi_1", money(100, "a card")),
        says("operator", "refund.opened", "re_1", money(5, "not needed")),
        says("payments:stripe", "refund.ended", "re_1", json!({"end": "paid"})),
        says("payments:stripe", "dispute.opened", "du_1", money(100, "fraudulent")),
        says("payments:stripe", "dispute.ended", "du_1", json!({"end": "lost"})),
    ];
    assert_eq!(told, expected);
}

/// A forger who keeps the chain whole, hash by hash, is still found where money goes where it must not.
#[tokio::test]
async fn an_end_without_a_beginning_is_found() {
    let bench = Bench::new().await;
    let customer = bench.customer(0).await;
    paid_in(&bench, &customer, 100, "pi_1").await;
    bench.ledger.dispute(dispute(&customer, 100, "du_1"), &BY_STRIPE).await.unwrap();
    bench.ledger.end_dispute(&reference("du_1"), DisputeEnd::Won, &BY_STRIPE).await.unwrap();
    bench.ledger.close().await;
    bench.database.forge("UPDATE transfers SET reference = 'du_2' WHERE kind = 'dispute_end'").await;
    let findings = bench.another().await.verify().await.unwrap().findings;
    let payment = findings.iter().find(|finding| finding.check == Check::Payments).expect("found");
    assert!(payment.message.contains("no such dispute was open"), "{payment:?}");
}
