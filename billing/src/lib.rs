//! Money: a double-entry ledger in nano-USD, the keys that spend it, and the till that admits requests.
//!
//! - [`Ledger`] is the truth, in a SQLite file or a PostgreSQL database. Every change is durable before it is answered.
//! - [`Till`] leases credit from it, so that admitting a request costs no disk write.
//! - [`Budgets`] hold keys and minted tokens to what they may spend.
//! - [`charge`] is the one formula from tokens to money.
//!
//! This is the only room with SQL, in one small crate for each database, and it imports no other room.

mod access;
pub mod budget;
mod calendar;
mod clock;
mod error;
mod id;
mod key;
pub mod ledger;
mod money;
pub mod payments;
mod text;
pub mod till;
mod words;

/// The databases of the tests outside, for those inside.
#[cfg(test)]
#[allow(dead_code, unused_imports, clippy::unwrap_used)] // they need but one of them
#[path = "../tests/it/databases/mod.rs"]
mod databases;
#[cfg(test)]
extern crate self as peerway_billing;

pub use access::{Actor, ActorError, BudgetLimits, KeyPolicy, Limits, Member, PolicyError, Role, Scope, parse_network};
pub use budget::{BudgetError, BudgetScope, Budgets, Reserved};
pub use calendar::Window;
pub use clock::{Clock, ManualClock, Timestamp};
pub use error::LedgerError;
pub use id::{AccountId, HoldId, IdError, KeyId, OperatorId, OwnerId, Reference, RequestId, SubjectId, TokenId};
pub use key::{KeyChange, KeyHash, KeyRecord, KeySecret, KeyState, KeyTerms, NewKey};
pub use ledger::{
    ALERT_LEVELS, Account, AccountKind, Action, Alert, AlertHook, AlertScope, AlertState, Amount, AuditEntry, Balance,
    Capture, Captured, Charge, ChargeTerms, Checkpoint, CheckpointError, CheckpointKey, Credit, Credited, Database,
    DatabaseError, DayQuestion, DayUsage, Deposit, Dispute, DisputeEnd, DueAlert, Extend, Forecast, Granted, Head,
    Hold, HoldState, KeyUsage, Ledger, LedgerOptions, Moved, NewHold, Outcome, Part, Proof, ProofError, Proven,
    Receipt, ReceiptPart, Refund, RefundEnd, Source, Totals, VerifyReport,
};
pub use money::{
    AmountParseError, FeeBps, FeeTooHigh, Nanos, Overflow, PerMillion, Price, Split, TokenCount, affordable_completion,
    charge, charge_parts,
};
pub use peerway_billing_store::OpenError;
pub use till::{
    AdmitError, Admitted, CloseError, FlushError, JournalError, OpenTillError, Till, TillConfig, TillStats,
};
