//! Money that comes from outside the ledger, and goes back there.

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::platform;
use crate::id::{AccountId, Reference};
use crate::money::Nanos;
use crate::words::words;

/// Through whom money came in. Each has a clearing account of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A card or bank payment: `platform:stripe`.
    Stripe,
    /// A transfer of a stablecoin: `platform:chain`.
    Chain,
}
words!(Source { Stripe = "stripe", Chain = "chain" });

impl Source {
    pub(crate) const fn clearing(self) -> &'static str {
        match self {
            Self::Stripe => platform::STRIPE,
            Self::Chain => platform::CHAIN,
        }
    }
}

/// A payment that has arrived: out of the source's clearing account, onto a customer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deposit {
    /// The customer.
    pub account: AccountId,
    /// How much; more than nothing.
    pub amount: Nanos,
    /// Through whom.
    pub source: Source,
    /// What the payment *is*: a PaymentIntent's id, a chain event. It is credited once, whoever tells of it and how often.
    pub reference: Reference,
    /// Why, for people; at most 1024 bytes. A repeated deposit may word it otherwise: the first words stay.
    pub memo: String,
}

/// Unused credit on its way back to who paid. It leaves the account at once, so that it cannot be spent meanwhile, and lies
/// on `platform:refunds` until [`crate::Ledger::end_refund`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The customer. One whose account is frozen is refunded only by [`crate::Actor::Operator`].
    pub account: AccountId,
    /// How much; more than nothing, and no more than the account has available.
    pub amount: Nanos,
    /// Through whom it goes back.
    pub source: Source,
    /// The refund's own name, not the payment's: a payment may be refunded in parts.
    pub reference: Reference,
    /// Why, for people; at most 1024 bytes.
    pub memo: String,
}

/// How a refund ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundEnd {
    /// The money went back to who had paid.
    Paid,
    /// It could not be sent, and is on the account again.
    Failed,
}
words!(RefundEnd { Paid = "paid", Failed = "failed" });

/// A payment that its payer's bank takes back, or a chain undid. It leaves the account at once, even below zero, and the account
/// is frozen while any of its disputes is open. Work under way is still paid out of the holds that were there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// The customer.
    pub account: AccountId,
    /// How much; more than nothing.
    pub amount: Nanos,
    /// Through whom the payment had come.
    pub source: Source,
    /// The dispute's own name; of an undone chain event the event's.
    pub reference: Reference,
    /// Why, for people; at most 1024 bytes.
    pub memo: String,
}

/// How a dispute ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeEnd {
    /// The money is on the account again, which may spend again unless it is frozen for another reason.
    Won,
    /// The money is gone, and the account stays frozen until somebody ends that.
    Lost,
}
words!(DisputeEnd { Won = "won", Lost = "lost" });

/// A deposit, refund, dispute or end of one that is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The customer's account as it stands.
    pub account: Account,
    /// Its place in the log.
    pub seq: i64,
    /// Whether it was there before, and this call changed nothing.
    pub repeated: bool,
}
