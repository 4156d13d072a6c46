//! What can go wrong with a database.

/// Why a database cannot be used as a ledger. Each message is one line that names the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It cannot be made, reached, read or written.
    #[error("cannot open the ledger {place}: {reason}")]
    Unusable {
        /// Where it is, without a password.
        place: String,
        /// What the system said.
        reason: String,
    },
    /// There is none, and none was to be made.
    #[error("there is no ledger in {place}")]
    Missing {
        /// Where it is not, without a password.
        place: String,
    },
    /// It is something else.
    #[error("{place} is not a Peerway ledger: {found}")]
    NotALedger {
        /// Where it is, without a password.
        place: String,
        /// What it is instead.
        found: String,
    },
    /// It was written by a newer Peerway.
    #[error("the ledger {place} has schema {found}, and this Peerway knows up to {known}: use a newer one")]
    Newer {
        /// Where it is, without a password.
        place: String,
        /// Its schema version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
}

/// Why a database did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It is away, busy or full. Asking again can help; whether a commit that failed so has happened is not known.
    #[error("{0}")]
    Unavailable(String),
    /// It cannot read what it keeps.
    #[error("{0}")]
    Damaged(String),
}
