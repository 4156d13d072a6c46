//! Money: a double-entry ledger in nano-USD, the keys that spend it, and the till that admits requests.
//!
//! - [`Ledger`] is the truth, in a SQLite file. Every change is durable before it is answered.
//! - [`Till`] leases credit from it, so that admitting a request costs no disk write.
//! - [`charge`] is the one formula from tokens to money.
//!
//! This is the only room with SQL, and it imports no other room.

mod clock;
mod error;
mod id;
mod key;
pub mod ledger;
mod money;
mod text;
pub mod till;

pub use clock::{Clock, ManualClock, Timestamp};
pub use error::{LedgerError, OpenError};
pub use id::{AccountId, HoldId, IdError, KeyId, OperatorId, OwnerId, Reference, RequestId};
pub use key::{KeyHash, KeyRecord, KeySecret, NewKey};
pub use ledger::{
    Account, AccountKind, Amount, Balance, Capture, Captured, Charge, ChargeTerms, Credit, Credited, Extend, Granted,
    Head, Hold, HoldState, Ledger, LedgerOptions, NewHold, Outcome, Receipt, VerifyReport,
};
pub use money::{
    AmountParseError, FeeBps, FeeTooHigh, Nanos, Overflow, PerMillion, Price, Split, TokenCount, affordable_completion,
    charge,
};
pub use till::{AdmitError, Admitted, CloseError, FlushError, Till, TillConfig, TillStats};
