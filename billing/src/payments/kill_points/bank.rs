//! A payment provider that keeps its books in memory, and whose answers get lost.
//!
//! It is what Stripe promises: a call under one key is done once for a day, lists tell all that is there, and events come once,
//! twice or never, in any order.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use peerway_billing_stripe::{
    CallError, CallKey, Card, CardId, Cents, Checkout, CustomerId, Dispute, DisputeStatus, FraudWarning, LastCharge,
    NewCheckout, NewPayment, Paged, Payment, PaymentId, PaymentStatus, Refund, RefundStatus, Refusal, SessionId,
    WarningId,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::fate::Fate;
use crate::clock::Clock;
use crate::payments::provider::Provider;

/// How long a key is remembered, in seconds.
const DAY: i64 = 24 * 3600;

/// The bank as one process sees it.
#[derive(Debug, Clone)]
pub(super) struct Bank {
    pub(super) books: Arc<Mutex<Books>>,
    fate: Fate,
    clock: Clock,
}

#[derive(Debug)]
pub(super) struct Books {
    random: StdRng,
    /// Whether answers get lost and calls refused.
    pub(super) moody: bool,
    named: u64,
    now: i64,
    customers: BTreeMap<String, CustomerId>,
    pub(super) pages: BTreeMap<String, OpenPage>,
    pub(super) payments: BTreeMap<String, Payment>,
    pub(super) refunds: BTreeMap<String, Refund>,
    pub(super) disputes: BTreeMap<String, Dispute>,
    pub(super) warnings: BTreeMap<String, FraudWarning>,
    /// What was done under a key, and when.
    done: BTreeMap<String, (i64, Result<String, CallError>)>,
    /// Events that nobody was told of yet.
    pub(super) untold: Vec<Vec<u8>>,
    pub(super) lost_answers: u64,
    pub(super) declines: u64,
}

#[derive(Debug, Clone)]
pub(super) struct OpenPage {
    pub(super) page: Checkout,
    order: NewCheckout,
}

impl Books {
    fn name(&mut self, kind: &str) -> String {
        self.named += 1;
        format!("{kind}_{}", self.named)
    }

    fn tell(&mut self, what: &str, payment: &str) {
        let id = self.name("evt");
        let event = json!({"id": id, "type": what, "created": self.now, "data": {"object": {"id": payment, "object": "payment_intent"}}});
        self.untold.push(event.to_string().into_bytes());
    }

    fn once<T: Clone>(
        &mut self,
        key: String,
        again: impl Fn(&Self, &str) -> T,
        work: impl FnOnce(&mut Self) -> Result<String, CallError>,
    ) -> Result<T, CallError> {
        let known = self.done.get(&key).filter(|(at, _)| at + DAY > self.now).map(|(_, answer)| answer.clone());
        let answer = known.unwrap_or_else(|| work(self));
        self.done.entry(key).or_insert_with(|| (self.now, answer.clone()));
        answer.map(|name| again(self, &name))
    }

    fn new_payment(&mut self, account: &str, customer: &CustomerId, order: &str, credit: Cents) -> String {
        let name = self.name("pi");
        let payment = Payment {
            id: name.parse().unwrap(),
            status: PaymentStatus::Open,
            dollars: true,
            amount: credit,
            received: Cents::ZERO,
            customer: Some(customer.clone()),
            account: Some(account.to_owned()),
            order: Some(order.to_owned()),
            credit: Some(credit),
            charge: None,
            created: self.now,
        };
        self.payments.insert(name.clone(), payment);
        name
    }

    /// A payer's card is tried, and is declined or pays.
    pub(super) fn try_card(&mut self, payment: &str, pays: bool) {
        let charge = self.name("ch");
        let Some(payment) = self.payments.get_mut(payment) else { return };
        if payment.status != PaymentStatus::Open {
            return;
        }
        payment.charge = Some(LastCharge {
            id: charge.parse().unwrap(),
            failed: !pays,
            refunded: Cents::ZERO,
            disputed: false,
            card: Card { fingerprint: payment.account.clone(), country: Some("DE".to_owned()) },
            risk: None,
        });
        let name = payment.id.to_string();
        if pays {
            (payment.status, payment.received) = (PaymentStatus::Paid, payment.amount);
            self.tell("payment_intent.succeeded", &name);
        } else {
            self.declines += 1;
            self.tell("payment_intent.payment_failed", &name);
        }
    }

    /// Somebody tries to pay at a page.
    pub(super) fn pay_at(&mut self, page: &str, pays: bool) {
        let Some(mut open) = self.pages.get(page).cloned().filter(|open| open.page.open) else { return };
        let payment = match &open.page.payment {
            Some(payment) => payment.to_string(),
            None => {
                let NewCheckout { account, customer, order, credit, .. } = &open.order;
                self.new_payment(account, customer, order, *credit)
            }
        };
        open.page.payment = Some(payment.parse().unwrap());
        open.page.open = !pays;
        self.pages.insert(page.to_owned(), open);
        self.try_card(&payment, pays);
    }

    /// A card network warns.
    pub(super) fn warn(&mut self, payment: &str, actionable: bool) -> String {
        let name = self.name("issfr");
        let (id, kind) = (name.parse().unwrap(), "made_with_stolen_card".to_owned());
        self.warnings.insert(name.clone(), FraudWarning { id, payment: payment.parse().ok(), actionable, kind });
        name
    }

    /// Time passes: pages close.
    pub(super) fn at(&mut self, now: i64) {
        self.now = now;
        for open in self.pages.values_mut().filter(|open| open.order.expires_at <= now) {
            open.page.open = false;
        }
    }

    /// What of a payment is still with the bank.
    pub(super) fn left_of(&self, payment: &str) -> i64 {
        let received = self.payments.get(payment).map_or(0, |payment| payment.received.get());
        let is_its = |of: &Option<PaymentId>| of.as_ref().is_some_and(|of| of.as_str() == payment);
        let refunded: i64 = self
            .refunds
            .values()
            .filter(|refund| is_its(&refund.payment) && refund.status != RefundStatus::Failed)
            .map(|refund| refund.amount.get())
            .sum();
        let disputed: i64 = self
            .disputes
            .values()
            .filter(|one| is_its(&one.payment) && matches!(one.status, DisputeStatus::Open | DisputeStatus::Lost))
            .map(|one| one.amount.get())
            .sum();
        received - refunded - disputed
    }

    pub(super) fn send_back(
        &mut self,
        payment: &str,
        amount: Cents,
        order: Option<&str>,
        status: RefundStatus,
    ) -> Result<String, CallError> {
        let is_its = |one: &&Dispute| one.payment.as_ref().is_some_and(|of| of.as_str() == payment);
        let disputed = self.disputes.values().filter(is_its).any(|one| one.status == DisputeStatus::Open);
        if amount.get() > self.left_of(payment) || amount == Cents::ZERO || disputed {
            let message = "disputed, or more than is left of the charge".to_owned();
            return Err(CallError::Refused(Box::new(Refusal { status: 400, message, ..Refusal::default() })));
        }
        let name = self.name("re");
        let refund = Refund {
            id: name.parse().unwrap(),
            payment: payment.parse().ok(),
            amount,
            dollars: true,
            status,
            order: order.map(str::to_owned),
            created: self.now,
        };
        self.refunds.insert(name.clone(), refund);
        self.count_refunds(payment);
        self.tell("charge.refunded", payment);
        Ok(name)
    }

    fn count_refunds(&mut self, payment: &str) {
        let back = |refund: &&Refund| {
            refund.payment.as_ref().is_some_and(|of| of.as_str() == payment) && refund.status != RefundStatus::Failed
        };
        let sum = self.refunds.values().filter(back).map(|refund| refund.amount.get()).sum();
        if let Some(charge) = self.payments.get_mut(payment).and_then(|payment| payment.charge.as_mut()) {
            charge.refunded = Cents::new(sum).unwrap();
        }
    }

    /// A refund that was on its way arrives, or cannot.
    pub(super) fn end_refund(&mut self, refund: &str, to: RefundStatus) {
        let Some(refund) = self.refunds.get_mut(refund) else { return };
        refund.status = to;
        let payment = refund.payment.as_ref().map(ToString::to_string).unwrap_or_default();
        self.count_refunds(&payment);
        self.tell("refund.updated", &payment);
    }

    pub(super) fn dispute(&mut self, payment: &str, amount: Cents) {
        let name = self.name("dp");
        let dispute = Dispute {
            id: name.parse().unwrap(),
            payment: payment.parse().ok(),
            amount,
            dollars: true,
            status: DisputeStatus::Open,
            reason: "fraudulent".to_owned(),
        };
        self.disputes.insert(name, dispute);
        if let Some(charge) = self.payments.get_mut(payment).and_then(|payment| payment.charge.as_mut()) {
            charge.disputed = true;
        }
        self.tell("charge.dispute.created", payment);
    }

    pub(super) fn end_dispute(&mut self, dispute: &str, to: DisputeStatus) {
        let Some(dispute) = self.disputes.get_mut(dispute) else { return };
        dispute.status = to;
        let payment = dispute.payment.as_ref().map(ToString::to_string).unwrap_or_default();
        self.tell("charge.dispute.closed", &payment);
    }
}

impl Bank {
    pub(super) fn new(seed: u64, clock: Clock) -> Self {
        let books = Books {
            random: StdRng::seed_from_u64(seed),
            moody: true,
            named: 0,
            now: clock.now().as_secs(),
            customers: BTreeMap::new(),
            pages: BTreeMap::new(),
            payments: BTreeMap::new(),
            refunds: BTreeMap::new(),
            disputes: BTreeMap::new(),
            warnings: BTreeMap::new(),
            done: BTreeMap::new(),
            untold: Vec::new(),
            lost_answers: 0,
            declines: 0,
        };
        Self { books: Arc::new(Mutex::new(books)), fate: Fate::never(), clock }
    }

    /// The same bank, for another process.
    pub(super) fn seen_by(&self, fate: &Fate) -> Self {
        Self { fate: fate.clone(), ..self.clone() }
    }

    async fn call<T>(&self, work: impl FnOnce(&mut Books) -> Result<T, CallError> + Send) -> Result<T, CallError> {
        self.fate.step().await;
        let answer = {
            let mut books = self.books.lock();
            let now = self.clock.now().as_secs();
            books.at(now);
            match if books.moody { books.random.random_range(0..40) } else { 0 } {
                1 => Err(CallError::Unknown("the connection broke".to_owned())),
                2 => Err(CallError::Busy),
                3 | 4 => {
                    books.lost_answers += 1;
                    drop(work(&mut books));
                    Err(CallError::Unknown("the answer was lost".to_owned()))
                }
                _ => work(&mut books),
            }
        };
        self.fate.step().await;
        answer
    }
}

fn missing() -> CallError {
    CallError::Refused(Box::new(Refusal { status: 404, message: "no such thing".to_owned(), ..Refusal::default() }))
}

#[async_trait]
impl Provider for Bank {
    async fn create_customer(&self, account: &str) -> Result<CustomerId, CallError> {
        self.call(|books| {
            let key = format!("customer {account}");
            let made = |books: &mut Books| {
                let name = books.name("cus");
                books.customers.insert(name.clone(), name.parse().unwrap());
                Ok(name)
            };
            books.once(key, |books, name| books.customers[name].clone(), made)
        })
        .await
    }

    async fn saved_card(&self, _: &CustomerId) -> Result<Option<CardId>, CallError> {
        self.call(|_| Ok(Some("pm_1".parse().unwrap()))).await
    }

    async fn portal(&self, _: &CustomerId, _: &str, _: &CallKey) -> Result<String, CallError> {
        Err(missing())
    }

    async fn create_checkout(&self, new: &NewCheckout) -> Result<Checkout, CallError> {
        self.call(|books| {
            let made = |books: &mut Books| {
                let name = books.name("cs");
                let page = Checkout { id: name.parse().unwrap(), url: None, payment: None, open: true };
                books.pages.insert(name.clone(), OpenPage { page, order: new.clone() });
                Ok(name)
            };
            books.once(format!("checkout {}", new.order), |books, name| books.pages[name].page.clone(), made)
        })
        .await
    }

    async fn checkout(&self, id: &SessionId) -> Result<Checkout, CallError> {
        self.call(|books| books.pages.get(id.as_str()).map(|open| open.page.clone()).ok_or_else(missing)).await
    }

    async fn payment(&self, id: &PaymentId) -> Result<Payment, CallError> {
        self.call(|books| books.payments.get(id.as_str()).cloned().ok_or_else(missing)).await
    }

    async fn payments_since(&self, since: i64, customer: Option<&CustomerId>) -> Result<Paged<Payment>, CallError> {
        self.call(|books| {
            let fits = |payment: &&Payment| {
                payment.created >= since && (customer.is_none() || payment.customer.as_ref() == customer)
            };
            Ok(Paged { found: books.payments.values().filter(fits).cloned().collect(), complete: true })
        })
        .await
    }

    async fn charge_saved_card(&self, new: &NewPayment) -> Result<Payment, CallError> {
        self.call(|books| {
            let made = |books: &mut Books| {
                let name = books.new_payment(&new.account, &new.customer, &new.order, new.credit);
                match books.random.random_range(0..10) {
                    // It goes on by itself, some day.
                    0 => Ok(name),
                    1..4 => {
                        books.try_card(&name, false);
                        let holder = books.random.random_ratio(1, 4);
                        Err(CallError::Refused(Box::new(Refusal {
                            status: 402,
                            code: Some(if holder { "authentication_required" } else { "card_declined" }.to_owned()),
                            message: "declined".to_owned(),
                            payment: Some(name.parse().unwrap()),
                            ..Refusal::default()
                        })))
                    }
                    _ => {
                        books.try_card(&name, true);
                        Ok(name)
                    }
                }
            };
            books.once(format!("payment {}", new.order), |books, name| books.payments[name].clone(), made)
        })
        .await
    }

    async fn refund(&self, payment: &PaymentId, amount: Cents, order: &str) -> Result<Refund, CallError> {
        self.call(|books| {
            let made = |books: &mut Books| {
                let on_its_way = books.random.random_ratio(1, 3);
                let status = if on_its_way { RefundStatus::Pending } else { RefundStatus::Paid };
                books.send_back(payment.as_str(), amount, Some(order), status)
            };
            books.once(format!("refund {order}"), |books, name| books.refunds[name].clone(), made)
        })
        .await
    }

    async fn refunds_of(&self, payment: &PaymentId) -> Result<Vec<Refund>, CallError> {
        let is_its = |refund: &&Refund| refund.payment.as_ref() == Some(payment);
        self.call(|books| Ok(books.refunds.values().filter(is_its).cloned().collect())).await
    }

    async fn disputes_of(&self, payment: &PaymentId) -> Result<Vec<Dispute>, CallError> {
        let is_its = |dispute: &&Dispute| dispute.payment.as_ref() == Some(payment);
        self.call(|books| Ok(books.disputes.values().filter(is_its).cloned().collect())).await
    }

    async fn fraud_warning(&self, id: &WarningId) -> Result<FraudWarning, CallError> {
        self.call(|books| books.warnings.get(id.as_str()).cloned().ok_or_else(missing)).await
    }

    async fn fraud_warnings_of(&self, payment: &PaymentId) -> Result<Vec<FraudWarning>, CallError> {
        let is_its = |warning: &&FraudWarning| warning.payment.as_ref() == Some(payment);
        self.call(|books| Ok(books.warnings.values().filter(is_its).cloned().collect())).await
    }
}
