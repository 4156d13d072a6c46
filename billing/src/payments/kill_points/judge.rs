//! What has to hold once everything is quiet.

use std::sync::atomic::Ordering;

use peerway_billing_stripe::{Dispute, DisputeStatus, PaymentStatus, RefundStatus};

use super::Seen;
use super::fate::Fate;
use super::world::{CENT, World};
use crate::id::AccountId;
use crate::payments::{Payment, PaymentState};

impl World {
    pub(super) async fn posted(&self, account: &AccountId) -> i64 {
        self.ledger.account(account).await.unwrap().balance.posted.as_i64()
    }

    pub(super) async fn judge(&mut self, seen: &Seen) {
        seen.deaths.fetch_add(1, Ordering::SeqCst);
        let seed = self.seed;
        let report = self.ledger.verify().await.unwrap();
        assert!(report.is_clean(), "world {seed}: {:#?}", report.findings);
        let mut there = 0;
        for account in self.customers.clone() {
            there += self.judge_customer(&account, seen).await;
        }
        self.judge_platform(there).await;
        let records = self.ledger.payment_records().unwrap();
        let (now, all) = (i64::MAX, 1000);
        let events = records.events_due(now, all).await.unwrap();
        assert_eq!(events, [], "world {seed}: events are left");
        let payments = records.payments_in("open", now, all).await.unwrap();
        assert_eq!(payments, [], "world {seed}: payments are left open");
        let top_ups = records.top_ups_under_way(now, all).await.unwrap();
        assert_eq!(top_ups, [], "world {seed}: top-ups are left under way");
        for refund in records.refunds_in("open", now, all).await.unwrap() {
            let pending = |id: &String| self.bank.books.lock().refunds[id].status == RefundStatus::Pending;
            assert!(refund.refund.as_ref().is_some_and(pending), "world {seed}: a refund is left open: {refund:?}");
        }
    }

    /// Exactly what was paid, less what went back and what was spent. Answers what the bank has of it, in cents.
    async fn judge_customer(&self, account: &AccountId, seen: &Seen) -> i64 {
        let seed = self.seed;
        let kept = self.process(&Fate::never()).payments(account, 1000).await.unwrap();
        let (paid, taken) = self.left_of(account, &kept);
        let charged = self.ledger.charges(account, 10_000).await.unwrap();
        let spent: i64 = charged.iter().map(|receipt| receipt.paid.total.as_i64()).sum();
        let has = self.posted(account).await;
        assert_eq!(has, paid * CENT - spent, "world {seed}: {account} was credited otherwise than it paid");
        assert!(has >= 0 || taken, "world {seed}: {account} is below zero");
        if has < 0 {
            seen.owed.fetch_add(1, Ordering::SeqCst);
        }
        paid
    }

    /// What the bank still has of an account's payments, and whether anything was taken back past us.
    fn left_of(&self, account: &AccountId, kept: &[Payment]) -> (i64, bool) {
        let seed = self.seed;
        let (mut paid, mut taken) = (0, false);
        let books = self.bank.books.lock();
        for payment in books.payments.values() {
            if payment.status != PaymentStatus::Paid || payment.account.as_deref() != Some(account.as_str()) {
                continue;
            }
            let of_ours = |one: &&Payment| Some(&one.id) == payment.order.as_ref();
            let row = kept.iter().find(of_ours).unwrap_or_else(|| panic!("world {seed}: {payment:?} is not kept"));
            let by_itself = payment.order.as_ref().is_some_and(|order| order.starts_with("top_"));
            assert_eq!(row.kind == "top_up", by_itself, "world {seed}: a card was charged under another name: {row:?}");
            let left = books.left_of(payment.id.as_str());
            let with_a_bank = |id: &str| {
                let is_its = |one: &&Dispute| one.payment.as_ref().is_some_and(|of| of.as_str() == id);
                books.disputes.values().filter(is_its).any(|one| one.status == DisputeStatus::Open)
            };
            match row.state {
                PaymentState::Paid | PaymentState::Disputed => paid += left,
                PaymentState::Refused => assert!(
                    left == 0 || with_a_bank(payment.id.as_str()),
                    "world {seed}: {payment:?} {row:?} was refused and is kept"
                ),
                other => panic!("world {seed}: {payment:?} was paid and is {other:?}"),
            }
            taken |= books.disputes.values().any(|one| one.payment.as_ref() == Some(&payment.id));
            taken |= books.refunds.values().any(|one| one.payment.as_ref() == Some(&payment.id) && one.order.is_none());
        }
        (paid, taken)
    }

    /// What the bank has for us is what the books say.
    async fn judge_platform(&self, there: i64) {
        let clearing = self.posted(&AccountId::platform_stripe()).await;
        let refunds = self.posted(&AccountId::platform_refunds()).await;
        let disputes = self.posted(&AccountId::platform_disputes()).await;
        let books = self.bank.books.lock();
        assert_eq!(-(clearing + refunds + disputes), there * CENT, "world {}: the bank has otherwise", self.seed);
        let open = books.disputes.values().filter(|one| one.status == DisputeStatus::Open);
        let of_credit: i64 = open.map(|one| one.amount.get()).sum();
        assert!(disputes <= of_credit * CENT, "world {}: a dispute that has ended is open in the books", self.seed);
    }

    /// The world ends: what it has seen is counted, and its ledger is thrown away.
    pub(super) async fn end(&self, seen: &Seen) {
        {
            let books = self.bank.books.lock();
            let count =
                |of: &std::sync::atomic::AtomicU64, number: usize| of.fetch_add(number as u64, Ordering::SeqCst);
            let paid = books.payments.values().filter(|one| one.status == PaymentStatus::Paid);
            let (top_ups, pages): (Vec<_>, Vec<_>) =
                paid.partition(|one| one.order.as_ref().is_some_and(|order| order.starts_with("top_")));
            count(&seen.paid, pages.len());
            count(&seen.topped_up, top_ups.len());
            count(&seen.refunds, books.refunds.len());
            count(
                &seen.failed_refunds,
                books.refunds.values().filter(|one| one.status == RefundStatus::Failed).count(),
            );
            count(&seen.disputes, books.disputes.len());
            seen.lost_answers.fetch_add(books.lost_answers, Ordering::SeqCst);
            seen.declines.fetch_add(books.declines, Ordering::SeqCst);
        }
        let records = self.ledger.payment_records().unwrap();
        let refused = records.payments_in("refused", i64::MAX, 1000).await.unwrap().len();
        seen.reviewed.fetch_add(refused as u64, Ordering::SeqCst);
        self.ledger.close().await;
    }
}
