//! A ledger, an account in it, and payments through a fake of their own.

use std::time::Duration;

use peerway_billing::payments::{
    Cents, NewPage, Page, Payment, PaymentId, PaymentRules, Payments, StripeConfig, TopUpSettings,
};
use peerway_billing::{Account, AccountId, Actor, Clock, Ledger, LedgerOptions, ManualClock, Nanos, Timestamp};
use serde_json::{Value, json};

use crate::databases::TestDatabase;
use crate::fake::{Fake, now};

pub(crate) const PAYS: &str = "4242424242424242";
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) struct Desk<D> {
    pub(crate) fake: Fake,
    pub(crate) ledger: Ledger,
    pub(crate) payments: Payments,
    pub(crate) account: AccountId,
    pub(crate) clock: ManualClock,
    _database: D,
}

pub(crate) fn usd(cents: i64) -> Nanos {
    Nanos::new(cents * 10_000_000)
}

pub(crate) fn rules() -> PaymentRules {
    let new_account_daily = Cents::new(100_000).unwrap();
    PaymentRules { tax: false, new_account_daily, review_from: 1000, ..PaymentRules::default() }
}

impl<D: TestDatabase> Desk<D> {
    pub(crate) async fn open(rules: PaymentRules) -> Self {
        let (fake, database) = (Fake::start(), D::fresh().await);
        let (now, clock) = Clock::manual(Timestamp::from_millis(now() * 1000));
        let options = LedgerOptions { clock: now, ..LedgerOptions::default() };
        let ledger = database.open(options).await;
        let account = ledger.create_account("acme", &Actor::Operator).await.unwrap().id;
        let stripe = StripeConfig {
            secret_key: "sk_test_of_nobody".to_owned(),
            base: Some(fake.base.clone()),
            timeout: Duration::from_secs(3),
        };
        let payments = Payments::new(ledger.clone(), stripe, None, rules).unwrap();
        Self { fake, ledger, payments, account, clock, _database: database }
    }

    pub(crate) fn new_page(&self, cents: i64) -> NewPage {
        NewPage {
            account: self.account.clone(),
            amount: usd(cents),
            save_card: true,
            success_url: "https://example.com/paid".to_owned(),
            cancel_url: "https://example.com/".to_owned(),
            name: None,
        }
    }

    /// Opens a page and pays it, without telling anybody.
    pub(crate) async fn pay(&self, cents: i64, card: &str) -> PaymentId {
        let page = self.payments.open_page(&self.new_page(cents)).await.unwrap();
        self.settle(&page, card)
    }

    /// Pays an open page.
    pub(crate) fn settle(&self, page: &Page, card: &str) -> PaymentId {
        let url = page.url.as_deref().unwrap();
        let session = url.split(['/', '?', '#']).find(|part| part.starts_with("cs_")).unwrap();
        let paid = self.fake.pay(session, card);
        paid["payment_intent"].as_str().unwrap().parse().unwrap()
    }

    /// Pays, and lets it be found by asking.
    pub(crate) async fn buy(&self, cents: i64) -> PaymentId {
        let intent = self.pay(cents, PAYS).await;
        self.reconcile().await;
        intent
    }

    /// Both clocks.
    pub(crate) fn later(&self, by: Duration) {
        self.clock.advance(by);
        self.fake.knob("POST", "clock", &json!({"advance_s": by.as_secs()}));
    }

    pub(crate) async fn reconcile(&self) {
        self.payments.reconcile(HOUR).await.unwrap();
    }

    pub(crate) async fn state(&self) -> Account {
        self.ledger.account(&self.account).await.unwrap()
    }

    pub(crate) async fn posted(&self) -> Nanos {
        self.state().await.balance.posted
    }

    pub(crate) fn about(intent: &PaymentId) -> Value {
        json!({ "payment_intent": intent.as_str() })
    }

    /// The newest of the account's payments.
    pub(crate) async fn newest(&self) -> Payment {
        self.payments.payments(&self.account, 1).await.unwrap().remove(0)
    }

    pub(crate) async fn sound(self) {
        assert_eq!(self.ledger.verify().await.unwrap().findings, []);
    }
}

pub(crate) fn settings(monthly: i64) -> TopUpSettings {
    TopUpSettings { enabled: true, threshold: usd(3_000), amount: usd(2_000), monthly: usd(monthly) }
}
