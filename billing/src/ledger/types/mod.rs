//! What goes into the ledger and what comes out of it.

mod account;
mod alert;
mod audit;
mod charge;
mod hold;
mod payment;
pub(crate) mod platform;
mod share;
mod usage;

pub use account::{Account, AccountKind, Balance, Credit, Credited, Head};
pub use alert::{ALERT_LEVELS, Alert, AlertHook, AlertScope, AlertState, DueAlert};
pub use audit::{Action, AuditEntry};
pub use charge::{Capture, Captured, Charge, ChargeTerms, Outcome, Part, Receipt, ReceiptPart};
pub(crate) use hold::Tenure;
pub use hold::{Amount, Extend, Granted, Hold, HoldState, NewHold};
pub use payment::{Deposit, Dispute, DisputeEnd, Moved, Refund, RefundEnd, Source};
pub(crate) use share::{NewShare, Shared};
pub use usage::{DayQuestion, DayUsage, Forecast, KeyUsage, Totals};
