//! Payments, refunds and top-ups as their customers see them.

use peerway_billing_store::{PaymentRow, RefundRow, TopUpRow};

use crate::clock::Timestamp;
use crate::money::Nanos;
use crate::words::words;

use super::trust::{Fate, Past};
use peerway_billing_stripe::Cents;

/// Nano-dollars of a cent, for what was in range when it was kept.
const PER_CENT: i64 = 10_000_000;

/// What became of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentState {
    /// It may still be paid.
    Open,
    /// It was, and is credit.
    Paid,
    /// It was, and waits for a person before it is credit.
    Review,
    /// The payer's bank has the money, until it decides or for good.
    Disputed,
    /// It was, and the money went back without having been credit.
    Refused,
    /// Nothing came of it.
    Canceled,
}
words!(PaymentState {
    Open = "open",
    Paid = "paid",
    Review = "review",
    Disputed = "disputed",
    Refused = "refused",
    Canceled = "canceled",
});

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Our name for it.
    pub id: String,
    /// `checkout` or `top_up`.
    pub kind: String,
    /// The credit.
    pub amount: Nanos,
    /// What became of it.
    pub state: PaymentState,
    /// What of the credit went back.
    pub refunded: Nanos,
    /// When it was begun.
    pub created_at: Timestamp,
    /// Why it waits for a person.
    pub reasons: Vec<String>,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidBack {
    /// Our name for it.
    pub id: String,
    /// The payment it is a part of.
    pub payment: String,
    /// The credit.
    pub amount: Nanos,
    /// What goes back to the card, taxes included.
    pub charge: Nanos,
    /// `open`, `paid`, `failed` or `refused`.
    pub state: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Why it was refused.
    pub problem: Option<String>,
}

/// When a saved card is charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopUp {
    /// Whether it is on.
    pub enabled: bool,
    /// Below so much.
    pub threshold: Nanos,
    /// So much each time.
    pub amount: Nanos,
    /// So much at most in a calendar month, in UTC.
    pub monthly: Nanos,
    /// Declines in a row.
    pub declines: u32,
    /// When the card may be tried again. `None`: at any time.
    pub not_before: Option<Timestamp>,
    /// Why the last one failed.
    pub problem: Option<String>,
}

fn nanos(cents: i64) -> Nanos {
    Nanos::new(cents.saturating_mul(PER_CENT))
}

pub(super) fn payment(row: PaymentRow) -> Payment {
    let state = state(&row);
    let shown = matches!(state, PaymentState::Review | PaymentState::Refused);
    let reasons = if shown { serde_json::from_str(&row.reasons).unwrap_or_default() } else { Vec::new() };
    Payment {
        id: row.id,
        kind: row.kind,
        amount: nanos(row.cents),
        state,
        refunded: nanos(row.back_cents),
        created_at: Timestamp::from_millis(row.created_at),
        reasons,
    }
}

/// A state that cannot be read is one in which nothing may be done.
pub(super) fn state(row: &PaymentRow) -> PaymentState {
    PaymentState::from_word(&row.state).unwrap_or(PaymentState::Canceled)
}

pub(super) fn refund(row: RefundRow) -> PaidBack {
    PaidBack {
        id: row.id,
        payment: row.payment,
        amount: nanos(row.cents),
        charge: nanos(row.charge_cents),
        state: row.state,
        created_at: Timestamp::from_millis(row.created_at),
        problem: row.problem,
    }
}

pub(super) fn top_up(row: TopUpRow) -> TopUp {
    TopUp {
        enabled: row.enabled == 1,
        threshold: Nanos::new(row.threshold),
        amount: nanos(row.cents),
        monthly: nanos(row.monthly_cents),
        declines: u32::try_from(row.declines).unwrap_or(u32::MAX),
        not_before: (row.not_before > 0).then(|| Timestamp::from_millis(row.not_before)),
        problem: row.problem,
    }
}

/// A payment as trust and statistics see it.
pub(super) fn past(row: &PaymentRow) -> Past {
    Past {
        at: Timestamp::from_millis(row.created_at),
        amount: Cents::new(row.cents).unwrap_or(Cents::ZERO),
        fate: match state(row) {
            PaymentState::Open | PaymentState::Review => Fate::Open,
            PaymentState::Paid => Fate::Paid,
            PaymentState::Disputed => Fate::Disputed,
            PaymentState::Refused | PaymentState::Canceled => Fate::Nothing,
        },
        declines: u32::try_from(row.declines).unwrap_or(0),
        card: row.card.clone(),
        country: row.country.clone(),
    }
}
