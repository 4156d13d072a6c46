//! Holds: credit set aside for work that is about to be done.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::LedgerError;
use crate::id::{AccountId, HoldId, OwnerId};
use crate::money::Nanos;
use crate::words::words;

/// How much to set aside: at least `least` or nothing at all, and up to `most` where there is as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// Less than this is of no use.
    pub least: Nanos,
    /// More than this is not wanted.
    pub most: Nanos,
}

impl Amount {
    /// Exactly this much.
    #[must_use]
    pub const fn exactly(amount: Nanos) -> Self {
        Self { least: amount, most: amount }
    }

    /// What a pot of `available` gives: `None` when it holds less than `least`.
    #[must_use]
    pub fn from_pot(self, available: Nanos) -> Option<Nanos> {
        (available >= self.least).then(|| self.most.min(available))
    }

    /// What a pot of `available` gives where `ahead` more is wanted if there is plenty: if what is left then is still four
    /// times as much. So what little an account has is left for whoever asks next, at whatever gateway.
    pub(crate) fn with_ahead(self, ahead: Nanos, available: Nanos) -> Option<Nanos> {
        let granted = self.from_pot(available)?;
        let plenty = i128::from(available.as_i64()) - i128::from(granted.as_i64()) >= i128::from(ahead.as_i64()) * 5;
        Some(if plenty { granted.saturating_add(ahead) } else { granted })
    }

    pub(crate) fn check(self) -> Result<Self, LedgerError> {
        if Nanos::ZERO <= self.least && self.least <= self.most {
            return Ok(self);
        }
        Err(LedgerError::invalid(format!(
            "an amount to hold needs 0 <= least <= most, and this has least {} and most {}",
            self.least, self.most
        )))
    }
}

/// Where a hold stands. It has exactly one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldState {
    /// Setting credit aside.
    Open,
    /// Ended by a last capture.
    Closed,
    /// Given back.
    Released,
    /// Past its expiry.
    Expired,
}
words!(HoldState { Open = "open", Closed = "closed", Released = "released", Expired = "expired" });

/// A hold as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// Whose credit it sets aside.
    pub account: AccountId,
    /// All that was granted to it and not given back.
    pub amount: Nanos,
    /// What was captured of that.
    pub captured: Nanos,
    /// Where it stands.
    pub state: HoldState,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Who took it.
    pub owner: OwnerId,
    /// When it was taken.
    pub created_at: Timestamp,
}

/// The time in which one process is an owner: until another takes over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tenure {
    /// The owner.
    pub(crate) owner: OwnerId,
    /// The how manyeth process it is.
    pub(crate) epoch: i64,
}

/// A hold to take. The same id again with the same terms answers the same hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHold {
    /// Chosen by the caller, so that a repeated call is seen as one.
    pub id: HoldId,
    /// Whose credit to set aside.
    pub account: AccountId,
    /// How much.
    pub amount: Amount,
    /// How much to set aside beyond `amount.most`, for what is still to come: only where the account has plenty, and all
    /// of it or nothing. [`Nanos::ZERO`] for no more than is needed.
    pub ahead: Nanos,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Who takes it.
    pub owner: OwnerId,
}

/// More credit or more time for an open hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extend {
    /// The hold.
    pub hold: HoldId,
    /// How much to add; [`Nanos::ZERO`] for time only.
    pub add: Amount,
    /// As [`NewHold::ahead`], beyond `add.most`.
    pub ahead: Nanos,
    /// The new expiry; an earlier one than the present leaves the present.
    pub expires_at: Timestamp,
}

/// What a hold or its extension got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The hold after it.
    pub hold: Hold,
    /// How much this call added.
    pub granted: Nanos,
    /// What the account still has available.
    pub left: Nanos,
}
