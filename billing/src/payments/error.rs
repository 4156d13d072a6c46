//! Why a payment did not come about.

use peerway_billing_store::StoreError;
use peerway_billing_stripe::{CallError, Cents};

use crate::error::LedgerError;
use crate::money::Overflow;

use super::trust::Denied;

/// Why something about payments was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaymentError {
    /// A field makes no sense.
    #[error("{message}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// There is no such payment or refund.
    #[error("there is no {0} of this name")]
    NotFound(&'static str),
    /// It is not in a state in which that could be done.
    #[error("{0}")]
    Conflict(String),
    /// The asker's own name was used before, for something else.
    #[error("this name was used before, for another payment or amount")]
    NameUsed,
    /// The account has paid as much as it may for now, or tried too often.
    #[error("{0}")]
    TooMuch(String),
    /// Events are not signed by a secret of ours, or no secret is set.
    #[error("no webhook secret is configured")]
    NoSecret,
    /// The ledger's database keeps nothing of payments.
    #[error("the ledger's database keeps nothing of payments: use sqlite")]
    NoRecords,
    /// Stripe refused, or did not answer.
    #[error(transparent)]
    Stripe(#[from] CallError),
    /// The ledger refused, or failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl PaymentError {
    pub(super) fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field, message: message.into() }
    }
}

impl From<StoreError> for PaymentError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<Overflow> for PaymentError {
    fn from(overflow: Overflow) -> Self {
        Self::Ledger(overflow.into())
    }
}

impl From<Denied> for PaymentError {
    fn from(denied: Denied) -> Self {
        Self::TooMuch(match denied {
            Denied::Sum { most, used } => {
                let left = Cents::new(most.get() - used.get()).unwrap_or(Cents::ZERO);
                format!(
                    "this account may pay {most} within a day and has {left} of it left; it grows with age and with payments \
                     that stay paid"
                )
            }
            Denied::Declines => "too many cards were declined within a day: try again tomorrow".to_owned(),
            Denied::Pages => "too many payment pages were opened within a day: try again tomorrow".to_owned(),
        })
    }
}
