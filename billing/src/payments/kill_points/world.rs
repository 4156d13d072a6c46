//! What happens in a world: what is asked of the process, and what others do without asking it.

use std::time::Duration;

use peerway_billing_stripe::webhook::Secrets;
use peerway_billing_stripe::{Cents, DisputeStatus, RefundStatus};
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{Rng, SeedableRng};

use super::bank::Bank;
use super::fate::Fate;
use crate::access::Actor;
use crate::clock::{Clock, ManualClock, Timestamp};
use crate::id::{AccountId, HoldId, OperatorId, OwnerId, RequestId};
use crate::ledger::{Amount, Capture, Charge, ChargeTerms, Database, Ledger, LedgerOptions, NewHold, Outcome};
use crate::money::{FeeBps, Nanos, PerMillion, Price, TokenCount};
use crate::payments::{AskedBack, NewPage, PaymentRules, Payments, TopUpSettings};

pub(super) const CENT: i64 = 10_000_000;
const CUSTOMERS: usize = 3;
const SECRET: &str = "whsec_1";
/// A life of so many steps is long; most are shorter.
const LONG_LIFE: i64 = 160;
/// How long it takes until everything that can settle has: longer than anything that is given up.
const ROUNDS: u32 = 7;
const ROUND: Duration = Duration::from_secs(40 * 60);
const ALL: Duration = Duration::from_secs(4 * 24 * 3600);

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) ledger: Ledger,
    pub(super) clock: ManualClock,
    pub(super) bank: Bank,
    pub(super) customers: Vec<AccountId>,
    random: StdRng,
    rules: PaymentRules,
    named: u64,
    /// Signed events that may be told again.
    told: Vec<Vec<u8>>,
}

impl World {
    pub(super) async fn new(seed: u64, database: &Database) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let (clock, hand) = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
        let options = LedgerOptions { clock: clock.clone(), ..LedgerOptions::default() };
        let ledger = Ledger::open_in(database, options).await.unwrap();
        let mut customers = Vec::new();
        for _ in 0..CUSTOMERS {
            customers.push(ledger.create_account("a customer", &Actor::operator()).await.unwrap().id);
        }
        let review_from = if random.random_ratio(1, 3) { 20 } else { 10_000 };
        let large = Cents::new(100_000_000).unwrap();
        let rules = PaymentRules { review_from, new_account_daily: large, tax: false, ..PaymentRules::default() };
        let bank = Bank::new(seed, clock);
        let world = Self { seed, ledger, clock: hand, bank, customers, random, rules, named: 0, told: Vec::new() };
        let payments = world.process(&Fate::never());
        world.bank.books.lock().moody = false;
        let usd = |usd: i64| Nanos::new(usd * 100 * CENT);
        let top_up = TopUpSettings { enabled: true, threshold: usd(20), amount: usd(10), monthly: usd(500) };
        payments.set_top_up(&world.customers[0], &top_up).await.unwrap();
        world
    }

    pub(super) fn process(&self, fate: &Fate) -> Payments {
        let records = self.ledger.payment_records().unwrap();
        let secrets = Secrets::new(vec![SECRET.to_owned()]);
        let bank = Box::new(self.bank.seen_by(fate));
        Payments::of(self.ledger.clone(), records, bank, secrets, self.rules.clone())
    }

    fn name(&mut self, kind: &str) -> String {
        self.named += 1;
        format!("{kind}{}", self.named)
    }

    fn one_of<T>(&mut self, of: impl Iterator<Item = T>) -> Option<T> {
        of.choose(&mut self.random)
    }

    fn anyone(&mut self) -> AccountId {
        let place = self.random.random_range(0..self.customers.len());
        self.customers[place].clone()
    }

    /// A process is asked one thing after another until it dies.
    pub(super) async fn live_until_death(&mut self) {
        self.bank.books.lock().moody = true;
        let steps = self.random.random_range(1..=LONG_LIFE);
        let fate = Fate::after(steps);
        let payments = self.process(&fate);
        while !fate.is_dead() {
            self.meanwhile().await;
            self.ask(&payments, &fate).await;
            self.clock.advance(Duration::from_secs(self.random.random_range(0..40)));
        }
    }

    /// Something is asked of the process; what comes of it is judged later.
    async fn ask(&mut self, payments: &Payments, fate: &Fate) {
        match self.random.random_range(0..12) {
            0 | 1 => {
                let amount = Nanos::new(self.random.random_range(500..3000) * CENT);
                let page = NewPage {
                    account: self.anyone(),
                    amount,
                    save_card: true,
                    success_url: "https://example.com/".to_owned(),
                    cancel_url: "https://example.com/".to_owned(),
                    name: None,
                };
                drop(fate.live(payments.open_page(&page)).await);
            }
            2..=4 => self.tell(payments, fate).await,
            5 | 6 => {
                let known: Vec<_> = self.bank.books.lock().payments.values().map(|one| one.id.clone()).collect();
                if let Some(id) = self.one_of(known.into_iter()) {
                    drop(fate.live(payments.look(&id)).await);
                }
            }
            7 | 8 => {
                let account = self.anyone();
                let paid = payments.payments(&account, 100).await.unwrap();
                let Some(payment) = self.one_of(paid.into_iter()) else { return };
                let part = Nanos::new(self.random.random_range(1..1000) * CENT);
                let amount = self.random.random::<bool>().then_some(part);
                let asked = AskedBack { account, payment: payment.id, amount, name: Some(self.name("back")) };
                drop(fate.live(payments.send_back(&asked, &Actor::operator())).await);
            }
            9 => drop(fate.live(payments.reconcile(ALL)).await),
            10 => drop(fate.live(payments.recharge()).await),
            _ => self.decide(payments, fate).await,
        }
    }

    /// A few of the untold events are told, one is lost, and one of before is told again.
    async fn tell(&mut self, payments: &Payments, fate: &Fate) {
        let mut events = std::mem::take(&mut self.bank.books.lock().untold);
        events.retain(|_| self.random.random_ratio(3, 4));
        self.told.extend(events.iter().cloned());
        let again = self.told.iter().choose(&mut self.random).cloned();
        for body in events.into_iter().chain(again) {
            let signature = self.signed(&body);
            let _kept = fate.live(payments.told(&signature, &body)).await;
        }
        drop(fate.live(payments.look_into_events()).await);
    }

    pub(super) fn signed(&self, body: &[u8]) -> String {
        let at = self.ledger.clock().now().as_secs();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
        let mac = ring::hmac::sign(&key, &[format!("{at}.").as_bytes(), body].concat());
        format!("t={at},v1={}", hex::encode(mac))
    }

    async fn decide(&mut self, payments: &Payments, fate: &Fate) {
        for (_, payment) in payments.waiting().await.unwrap() {
            if self.random.random() {
                drop(fate.live(payments.release(&payment.id)).await);
            } else {
                drop(fate.live(payments.refuse(&payment.id)).await);
            }
        }
    }

    /// What others do.
    async fn meanwhile(&mut self) {
        match self.random.random_range(0..10) {
            0..=3 => {
                let pays = self.random.random_ratio(3, 4);
                let mut books = self.bank.books.lock();
                let open: Vec<_> =
                    books.pages.iter().filter(|(_, open)| open.page.open).map(|(id, _)| id.clone()).collect();
                if let Some(page) = open.into_iter().choose(&mut self.random) {
                    books.pay_at(&page, pays);
                }
            }
            4 => {
                let account = self.anyone();
                let available = self.ledger.account(&account).await.unwrap().balance.available.as_i64();
                if available > 0 {
                    let amount = self.random.random_range(1..=available);
                    self.spend(&account, amount).await;
                }
            }
            5 => self.taken_back(),
            6 => {
                let mut books = self.bank.books.lock();
                let open = books.disputes.iter().filter(|(_, one)| one.status == DisputeStatus::Open);
                let open: Vec<_> = open.map(|(id, _)| id.clone()).collect();
                if let Some(dispute) = open.into_iter().choose(&mut self.random) {
                    let won = self.random.random();
                    books.end_dispute(&dispute, if won { DisputeStatus::Won } else { DisputeStatus::Lost });
                }
            }
            7 => {
                let mut books = self.bank.books.lock();
                let open = books.refunds.iter().filter(|(_, one)| one.status == RefundStatus::Pending);
                let open: Vec<_> = open.map(|(id, _)| id.clone()).collect();
                if let Some(refund) = open.into_iter().choose(&mut self.random) {
                    let paid = self.random.random();
                    books.end_refund(&refund, if paid { RefundStatus::Paid } else { RefundStatus::Failed });
                }
            }
            8 => {
                let account = self.anyone();
                // Not while a dispute is open.
                drop(self.ledger.set_frozen(&account, false, &Actor::operator()).await);
            }
            _ => {
                // A bank has thought it over.
                let mut books = self.bank.books.lock();
                let tried: Vec<_> = books.payments.keys().cloned().collect();
                if let Some(payment) = tried.into_iter().choose(&mut self.random) {
                    books.try_card(&payment, true);
                }
            }
        }
    }

    /// By a bank, or at the provider by who runs the platform.
    fn taken_back(&mut self) {
        let mut books = self.bank.books.lock();
        let paid: Vec<_> = books.payments.keys().filter(|id| books.left_of(id) > 0).cloned().collect();
        let Some(payment) = paid.into_iter().choose(&mut self.random) else { return };
        let left = books.left_of(&payment);
        let amount = if self.random.random() { left } else { self.random.random_range(1..=left) };
        let amount = Cents::new(amount).unwrap();
        if self.random.random() {
            books.dispute(&payment, amount);
        } else {
            let status = if self.random.random() { RefundStatus::Pending } else { RefundStatus::Paid };
            drop(books.send_back(&payment, amount, None, status));
        }
    }

    pub(super) async fn spend(&mut self, account: &AccountId, amount: i64) {
        let (hold, request) = (HoldId::new(self.name("h")).unwrap(), RequestId::new(self.name("r")).unwrap());
        let new = NewHold {
            id: hold.clone(),
            account: account.clone(),
            amount: Amount::exactly(Nanos::new(amount)),
            ahead: Nanos::ZERO,
            expires_at: self.ledger.clock().now().after(Duration::from_secs(60)),
            owner: OwnerId::new("gateway").unwrap(),
        };
        if self.ledger.hold(new).await.is_err() {
            return; // frozen
        }
        let charge = charge(amount.unsigned_abs());
        self.ledger.capture(Capture { hold, request, charge, at_most: None, close: true }).await.unwrap();
    }

    /// A successor is left alone, with a bank that answers, until all that can settle has.
    pub(super) async fn come_to_rest(&mut self) {
        self.bank.books.lock().moody = false;
        let fate = Fate::never();
        for round in 0..ROUNDS {
            let payments = self.process(&fate);
            self.clock.advance(ROUND);
            self.bank.books.lock().at(self.ledger.clock().now().as_secs());
            if round < 2 {
                self.decide(&payments, &fate).await;
            }
            while payments.look_into_events().await.unwrap() > 0 {}
            payments.reconcile(ALL).await.unwrap();
        }
    }
}

fn charge(ask: u64) -> Charge {
    let output = PerMillion::new(1_000_000).unwrap(); // one nano-USD a token
    Charge::new(ChargeTerms {
        key: None,
        token: None,
        node: "12D3KooWNode".to_owned(),
        operator: OperatorId::new("alice").unwrap(),
        model: "smol".to_owned(),
        price: Price { output, ..Price::default() },
        fee: FeeBps::new(500).unwrap(),
        billed: TokenCount::new(0, 0, ask),
        claimed: TokenCount::new(0, 0, ask),
        outcome: Outcome::Finished,
    })
    .unwrap()
}
