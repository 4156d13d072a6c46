//! What is kept of payments beside the log: what providers told, and what became of what we began.
//!
//! No money is decided by these rows. They say where to look, what a customer sees, and what may be tried next; a row that is lost
//! or late is made again from the provider and the log. So each change is one statement, and two processes that look at the same
//! payment write the same.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::error::StoreError;

/// An event as a provider sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// The provider's name for it.
    pub id: String,
    /// What happened, in the provider's words.
    pub kind: String,
    /// The bytes as they came.
    pub body: Vec<u8>,
    /// When they came, in milliseconds since 1970, as all moments here.
    pub received_at: i64,
    /// `new` until it was looked into, then `done`; `given_up` after too many tries.
    pub state: String,
    /// How often looking into it failed.
    pub tries: i64,
    /// When it is to be looked into next.
    pub due_at: i64,
    /// Why it failed last.
    pub problem: Option<String>,
}

/// A payment that we began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRow {
    /// Our name for it, given before the provider was asked.
    pub id: String,
    /// Who gets the credit.
    pub account: String,
    /// `checkout` or `top_up`.
    pub kind: String,
    /// The credit, in cents.
    pub cents: i64,
    /// `open`, `paid`, `review`, `disputed`, `refused` or `canceled`.
    pub state: String,
    /// The provider's page.
    pub session: Option<String>,
    /// The provider's payment.
    pub intent: Option<String>,
    /// When it was begun.
    pub created_at: i64,
    /// When it last changed.
    pub changed_at: i64,
    /// What stands for the card's number.
    pub card: Option<String>,
    /// Where the card is from.
    pub country: Option<String>,
    /// Tries that were declined.
    pub declines: i64,
    /// The last try, so that a decline is counted once.
    pub last_try: Option<String>,
    /// What of it went back, in cents of credit.
    pub back_cents: i64,
    /// What in a list tells whether it changed since it was looked at.
    pub mark: Option<String>,
    /// How unusual it is.
    pub score: i64,
    /// Why, as JSON: a list of texts.
    pub reasons: String,
}

/// Credit that is sent back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundRow {
    /// Our name for it.
    pub id: String,
    /// Whose credit.
    pub account: String,
    /// The payment it came by: our name for it.
    pub payment: String,
    /// The credit, in cents.
    pub cents: i64,
    /// What goes back to the card, taxes included, in cents.
    pub charge_cents: i64,
    /// `open`, `paid`, `failed` or `refused`.
    pub state: String,
    /// The provider's name for it.
    pub refund: Option<String>,
    /// When it was asked for.
    pub created_at: i64,
    /// When it last changed.
    pub changed_at: i64,
    /// Why it was refused.
    pub problem: Option<String>,
}

/// When a saved card is to be charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopUpRow {
    /// Whose.
    pub account: String,
    /// 1 for yes.
    pub enabled: i64,
    /// Below so many nano-dollars.
    pub threshold: i64,
    /// So many cents each time.
    pub cents: i64,
    /// So many cents at most in a month.
    pub monthly_cents: i64,
    /// Declines in a row.
    pub declines: i64,
    /// When it may be tried again.
    pub not_before: i64,
    /// The payment under way: our name for it.
    pub under_way: Option<String>,
    /// Why the last one failed.
    pub problem: Option<String>,
    /// When it last changed.
    pub changed_at: i64,
}

/// What is kept of payments. What returns a `bool` says whether it changed anything.
#[async_trait]
pub trait PaymentRecords: Debug + Send + Sync {
    /// Keeps an event as it came. `false`: it was there.
    async fn keep_event(&self, event: &EventRow) -> Result<bool, StoreError>;

    /// Events in the state `new` whose time has come, oldest first.
    async fn events_due(&self, now: i64, limit: i64) -> Result<Vec<EventRow>, StoreError>;

    /// Writes an event's `state`, `tries`, `due_at` and `problem`.
    async fn change_event(&self, event: &EventRow) -> Result<bool, StoreError>;

    /// Forgets events that were `done` before this moment, as many as `limit`.
    async fn forget_events(&self, before: i64, limit: i64) -> Result<u64, StoreError>;

    /// The provider's customer of an account.
    async fn customer(&self, account: &str) -> Result<Option<String>, StoreError>;

    /// The account of a provider's customer.
    async fn customers_account(&self, customer: &str) -> Result<Option<String>, StoreError>;

    /// Keeps an account's customer. `false`: it has one.
    async fn keep_customer(&self, account: &str, customer: &str, now: i64) -> Result<bool, StoreError>;

    /// Keeps a new payment. `false`: there is one of this name.
    async fn open_payment(&self, payment: &PaymentRow) -> Result<bool, StoreError>;

    /// Writes all that can change of a payment that is in the state `was`.
    async fn change_payment(&self, payment: &PaymentRow, was: &str) -> Result<bool, StoreError>;

    /// A payment by our name for it.
    async fn payment(&self, id: &str) -> Result<Option<PaymentRow>, StoreError>;

    /// A payment by the provider's name for it.
    async fn payment_by_intent(&self, intent: &str) -> Result<Option<PaymentRow>, StoreError>;

    /// An account's payments, newest first.
    async fn payments(&self, account: &str, limit: i64) -> Result<Vec<PaymentRow>, StoreError>;

    /// Payments in a state, oldest change first.
    async fn payments_in(&self, state: &str, changed_before: i64, limit: i64) -> Result<Vec<PaymentRow>, StoreError>;

    /// How many other accounts have tried to pay with a card.
    async fn strangers_with_card(&self, card: &str, account: &str) -> Result<i64, StoreError>;

    /// Keeps a new refund. `false`: there is one of this name.
    async fn open_refund(&self, refund: &RefundRow) -> Result<bool, StoreError>;

    /// Writes the state, the provider's name and the problem of a refund that is in the state `was`.
    async fn change_refund(&self, refund: &RefundRow, was: &str) -> Result<bool, StoreError>;

    /// A refund by our name for it.
    async fn refund(&self, id: &str) -> Result<Option<RefundRow>, StoreError>;

    /// An account's refunds, newest first.
    async fn refunds(&self, account: &str, limit: i64) -> Result<Vec<RefundRow>, StoreError>;

    /// Refunds in a state, oldest change first.
    async fn refunds_in(&self, state: &str, changed_before: i64, limit: i64) -> Result<Vec<RefundRow>, StoreError>;

    /// An account's top-up.
    async fn top_up(&self, account: &str) -> Result<Option<TopUpRow>, StoreError>;

    /// Writes what a customer set, and forgets declines. What is under way stays.
    async fn set_top_up(&self, top_up: &TopUpRow) -> Result<(), StoreError>;

    /// Top-ups that are on, with nothing under way, whose time has come and whose account has less than the threshold.
    async fn top_ups_due(&self, now: i64, limit: i64) -> Result<Vec<TopUpRow>, StoreError>;

    /// Marks the payment as under way if none is. `false`: one is, or it is off.
    async fn claim_top_up(&self, account: &str, payment: &str, now: i64) -> Result<bool, StoreError>;

    /// Writes how the payment that was under way ended: `enabled`, `declines`, `not_before`, `problem`.
    async fn end_top_up(&self, top_up: &TopUpRow, payment: &str) -> Result<bool, StoreError>;

    /// Top-ups with something under way for longer than since `before`.
    async fn top_ups_under_way(&self, before: i64, limit: i64) -> Result<Vec<TopUpRow>, StoreError>;
}
