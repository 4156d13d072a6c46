//! Rows as they lie in a database: one struct per table, used for reading, writing and hashing alike.
//!
//! Field names are column names. Amounts are nano-USD, times milliseconds since 1970-01-01 UTC, hashes lower-case hex,
//! flags 0 or 1. What the values mean is for the ledger to say; here they are only kept.

mod access;
mod account;
mod charge;
mod log;
mod share;
mod statement;
mod tree;

pub use access::{KeyRow, MemberRow};
pub use account::{AccountNow, AccountRow, HoldRow, OwnerRow};
pub use charge::{ChargeRow, PartRow};
pub use log::{EntryRow, Link, PastCredit, PastMove, TransferRow};
pub use share::ShareRow;
pub use statement::{AlertRow, DayRow, HookRow};
pub use tree::{CheckpointRow, NodeRow};
