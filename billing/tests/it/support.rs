//! What several tests need: a ledger in a database of its own, and short ways to say common things.

use std::path::PathBuf;
use std::time::Duration;

use peerway_billing::{
    Account, AccountId, Actor, Amount, Capture, Charge, ChargeTerms, Clock, Credit, FeeBps, HoldId, KeyId, KeyPolicy,
    KeyTerms, Ledger, LedgerOptions, ManualClock, Nanos, NewHold, OperatorId, Outcome, OwnerId, Part, PerMillion,
    Price, Reference, RequestId, SubjectId, Timestamp, TokenCount, TokenId,
};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::databases::TestDatabase;

pub(crate) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A ledger in a real database, with a clock that is moved by hand.
pub(crate) struct Bench<D> {
    pub(crate) ledger: Ledger,
    pub(crate) clock: Clock,
    pub(crate) hand: ManualClock,
    pub(crate) database: D,
    /// For what a gateway keeps beside the database.
    pub(crate) folder: TempDir,
}

impl<D: TestDatabase> Bench<D> {
    pub(crate) async fn new() -> Self {
        let database = D::fresh().await;
        let (clock, hand) = Clock::manual(START);
        let ledger = database.open(options(clock.clone())).await;
        Self { ledger, clock, hand, database, folder: tempfile::tempdir().unwrap() }
    }

    /// Where its till keeps captures.
    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// The same ledger, as another process would open it.
    pub(crate) async fn another(&self) -> Ledger {
        self.database.open(options(self.clock.clone())).await
    }

    pub(crate) fn in_secs(&self, secs: u64) -> Timestamp {
        self.clock.now().after(Duration::from_secs(secs))
    }

    /// A customer with so many nano-USD.
    pub(crate) async fn customer(&self, credit: i64) -> AccountId {
        let account = self.ledger.create_account("a customer", &Actor::operator()).await.unwrap();
        if credit > 0 {
            self.ledger
                .credit(grant(&account.id, credit, &format!("first-{}", account.id)), &Actor::operator())
                .await
                .unwrap();
        }
        account.id
    }

    pub(crate) async fn posted(&self, account: &AccountId) -> i64 {
        self.account(account).await.balance.posted.as_i64()
    }

    pub(crate) async fn available(&self, account: &AccountId) -> i64 {
        self.account(account).await.balance.available.as_i64()
    }

    pub(crate) async fn held(&self, account: &AccountId) -> i64 {
        self.account(account).await.balance.held.as_i64()
    }

    async fn account(&self, account: &AccountId) -> Account {
        self.ledger.account(account).await.unwrap()
    }

    /// Every test ends with this.
    pub(crate) async fn verified(&self) {
        assert_clean(&self.ledger).await;
    }
}

pub(crate) async fn assert_clean(ledger: &Ledger) {
    let report = ledger.verify().await.unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
}

/// A short busy time, so that tests of an absent database take milliseconds.
pub(crate) fn options(clock: Clock) -> LedgerOptions {
    LedgerOptions { clock, busy: Duration::from_millis(50), ..LedgerOptions::default() }
}

pub(crate) fn nanos(amount: i64) -> Nanos {
    Nanos::new(amount)
}

pub(crate) fn request(name: &str) -> RequestId {
    RequestId::new(name).unwrap()
}

pub(crate) fn owner() -> OwnerId {
    OwnerId::new("gateway-1").unwrap()
}

pub(crate) fn grant(account: &AccountId, amount: i64, reference: &str) -> Credit {
    Credit {
        account: account.clone(),
        amount: nanos(amount),
        reference: Reference::new(reference).unwrap(),
        memo: "a grant".to_owned(),
    }
}

/// An unrestricted key.
pub(crate) fn key_of(account: &AccountId, name: &str) -> KeyTerms {
    KeyTerms { account: account.clone(), name: name.to_owned(), policy: KeyPolicy::default() }
}

pub(crate) fn hold(id: &str, account: &AccountId, amount: i64, expires_at: Timestamp) -> NewHold {
    NewHold {
        id: HoldId::new(id).unwrap(),
        account: account.clone(),
        amount: Amount::exactly(nanos(amount)),
        ahead: Nanos::ZERO,
        expires_at,
        owner: owner(),
    }
}

/// A charge whose ask is exactly `ask` nano-USD, with a fee of so many basis points.
pub(crate) fn charge_of(ask: i64, fee_bps: u32, operator: &str) -> Charge {
    let output = PerMillion::new(1_000_000).unwrap(); // one nano-USD a token
    Charge::new(ChargeTerms {
        key: None,
        token: None,
        node: "12D3KooWNode".to_owned(),
        operator: OperatorId::new(operator).unwrap(),
        model: "smol".to_owned(),
        price: Price { output, ..Price::default() },
        fee: FeeBps::new(fee_bps).unwrap(),
        billed: TokenCount::new(0, 0, ask.unsigned_abs()),
        claimed: TokenCount::new(0, 0, ask.unsigned_abs() * 10),
        outcome: Outcome::Finished,
    })
    .unwrap()
}

/// What another node delivered before, whose ask is exactly `ask` nano-USD.
pub(crate) fn part_of(ask: i64, operator: &str) -> Part {
    let output = PerMillion::new(500_000).unwrap(); // half a nano-USD a token
    let tokens = TokenCount::new(0, 0, ask.unsigned_abs() * 2);
    Part {
        node: format!("12D3KooW{operator}"),
        operator: OperatorId::new(operator).unwrap(),
        price: Price { output, ..Price::default() },
        billed: tokens,
        claimed: tokens,
    }
}

/// The same charge after these parts.
pub(crate) fn after(earlier: Vec<Part>, charge: &Charge) -> Charge {
    Charge::in_parts(charge.terms().clone(), earlier).unwrap()
}

/// The same charge, made with this key and this minted token.
pub(crate) fn shown(charge: &Charge, key: Option<&KeyId>, token: Option<&TokenId>) -> Charge {
    Charge::new(ChargeTerms { key: key.cloned(), token: token.cloned(), ..charge.terms().clone() }).unwrap()
}

pub(crate) fn subject(name: &str) -> SubjectId {
    SubjectId::new(format!("https://idp.example.com|{name}")).unwrap()
}

pub(crate) fn capture(hold: &str, name: &str, ask: i64, close: bool) -> Capture {
    Capture {
        hold: HoldId::new(hold).unwrap(),
        request: request(name),
        charge: charge_of(ask, 0, "alice"),
        at_most: None,
        close,
    }
}

/// So many transfers more.
pub(crate) async fn fill<D>(bench: &Bench<D>, transfers: u32) {
    let mut asked = JoinSet::new();
    for _ in 0..transfers {
        let ledger = bench.ledger.clone();
        asked.spawn(async move { ledger.create_account("filling", &Actor::operator()).await.unwrap() });
    }
    asked.join_all().await;
}
