//! What can go wrong, in words for the person who must act.

use peerway_billing_store::StoreError;

use crate::access::PolicyError;
use crate::id::{AccountId, HoldId, KeyId, OwnerId};
use crate::key::KeyState;
use crate::ledger::HoldState;
use crate::money::{Nanos, Overflow};

/// Why the ledger did not do what it was asked.
///
/// Everything but [`LedgerError::Storage`] and [`LedgerError::Closed`] is a final answer: nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// There is no such thing.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// "account", "key", "member", "hold" or "charge".
        what: &'static str,
        /// The id asked for.
        id: String,
    },
    /// The account may not spend.
    #[error("account {0} is frozen")]
    Frozen(AccountId),
    /// Not enough credit.
    #[error("account {account} has {available} available and needs {needed}")]
    Insufficient {
        /// The account asked.
        account: AccountId,
        /// The least that would have been enough.
        needed: Nanos,
        /// What is there beyond open holds.
        available: Nanos,
    },
    /// The same name was used before with other terms.
    #[error("{what} `{id}` exists with other terms: {detail}")]
    Conflict {
        /// "credit" or "hold".
        what: &'static str,
        /// The name used twice.
        id: String,
        /// What differs.
        detail: String,
    },
    /// The hold has had its one end.
    #[error("hold {hold} is {state}")]
    HoldEnded {
        /// The hold.
        hold: HoldId,
        /// How it ended.
        state: HoldState,
    },
    /// Another process has taken over the owner in whose name this was asked.
    #[error("{owner} was taken over by another process: this is number {epoch}, and the latest is {latest}")]
    TakenOver {
        /// The owner.
        owner: OwnerId,
        /// Which of its processes asked.
        epoch: i64,
        /// Which is the latest.
        latest: i64,
    },
    /// The key does not work any more, and what was asked needs one that does.
    #[error("key {key} is {state}")]
    KeyEnded {
        /// The key.
        key: KeyId,
        /// Expired or revoked.
        state: KeyState,
    },
    /// The key was rotated before: it cannot be rotated again, nor live longer. The key that took its place can.
    #[error("key {key} was replaced by {by}, and only that one can be rotated or live longer")]
    KeyReplaced {
        /// The key.
        key: KeyId,
        /// Its successor.
        by: KeyId,
    },
    /// The change would leave members without an owner among them.
    #[error("account {0} would have no owner left: make somebody else an owner first")]
    LastOwner(AccountId),
    /// The account has as many members as it may.
    #[error("account {account} has {most} members, and may not have more")]
    MembersFull {
        /// The account.
        account: AccountId,
        /// How many it may have.
        most: usize,
    },
    /// The key's policy makes no sense.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// An amount or balance would not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// The database failed. Nothing was acknowledged; if the failure hit the very commit it is not known
    /// whether it happened, and asking again with the same reference or request id is safe.
    #[error("the ledger's database failed: {0}")]
    Storage(String),
    /// The ledger was closed.
    #[error("the ledger is closed")]
    Closed,
}

impl LedgerError {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    pub(crate) fn not_found(what: &'static str, id: impl std::fmt::Display) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }

    /// Whether asking again later can help: the database was away, and nothing is known to be changed.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Storage(_))
    }
}

impl From<StoreError> for LedgerError {
    fn from(error: StoreError) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<serde_json::Error> for LedgerError {
    fn from(error: serde_json::Error) -> Self {
        Self::Storage(format!("a row could not be written as JSON: {error}"))
    }
}
