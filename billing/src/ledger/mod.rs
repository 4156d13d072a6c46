//! The ledger: double entry, append-only, in one database that several processes may open.
//!
//! The problem: a commit that survives a power cut costs about 2 ms, and a gateway wants thousands a second.
//! So one writer task per process takes whatever is waiting, decides all of it in memory inside one
//! transaction, and commits once (group commit). Rejected: one transaction per operation (a few hundred a
//! second); caching balances between batches (another process, such as the command line, may write too, so
//! the database is the authority at every batch); a statement per row (the statements cost more than the commit).
//!
//! | file | idea |
//! | --- | --- |
//! | `database` | which database |
//! | `open` | how it is opened |
//! | `api` | what callers may ask for |
//! | `payments` | what callers may ask about money from outside |
//! | `access` | what callers may ask about keys and members |
//! | `writer` | the task that commits batches |
//! | `batch/` | one batch: rows read, decided in memory, and what changed |
//! | `rows` | what rows mean |
//! | `chain` | the hash chain |
//! | `read` | questions that change nothing |
//! | `usage`, `days` | sums of what was spent, and a forecast |
//! | `audit` | who changed what |
//! | `alerts` | budgets that are being used up |
//! | `checkpoints` | the log signed, and proofs from it |
//! | `proof/` | what is proven to somebody who does not have the log |
//! | `verify`, `export` | everything recomputed; everything written out |

mod access;
mod alerts;
mod api;
mod audit;
mod batch;
mod chain;
mod checkpoints;
mod command;
mod database;
mod days;
mod export;
mod open;
mod payments;
mod proof;
mod read;
mod rows;
mod statement;
mod types;
mod usage;
mod verify;
mod writer;

pub use api::Ledger;
pub use database::{Database, DatabaseError};
pub use export::ExportError;
pub use open::LedgerOptions;
pub use proof::{Checkpoint, CheckpointError, CheckpointKey, Proof, ProofError, Proven};
pub(crate) use rows::ShareRow;
pub use types::{
    ALERT_LEVELS, Account, AccountKind, Action, Alert, AlertHook, AlertScope, AlertState, Amount, AuditEntry, Balance,
    Capture, Captured, Charge, ChargeTerms, Credit, Credited, DayQuestion, DayUsage, Deposit, Dispute, DisputeEnd,
    DueAlert, Extend, Forecast, Granted, Head, Hold, HoldState, KeyUsage, Moved, NewHold, Outcome, Part, Receipt,
    ReceiptPart, Refund, RefundEnd, Source, Totals,
};
pub(crate) use types::{NewShare, Shared};
pub use verify::{Check, Finding, VerifyReport};
