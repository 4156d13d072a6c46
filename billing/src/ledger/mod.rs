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
//! | `open` | which database, and how it is opened |
//! | `api` | what callers may ask for |
//! | `payments` | what callers may ask about money from outside |
//! | `access` | what callers may ask about keys and members |
//! | `writer` | the task that commits batches |
//! | `batch/` | one batch: rows read, decided in memory, and what changed |
//! | `rows` | what rows mean |
//! | `chain` | the hash chain |
//! | `read` | questions that change nothing |
//! | `usage` | sums of what was spent |
//! | `audit` | who changed what |
//! | `verify`, `export` | everything recomputed; everything written out |

mod access;
mod api;
mod audit;
mod batch;
mod chain;
mod command;
mod export;
mod open;
mod payments;
mod read;
mod rows;
mod types;
mod usage;
mod verify;
mod writer;

pub use api::Ledger;
pub use export::ExportError;
pub use open::LedgerOptions;
pub use types::{
    Account, AccountKind, Action, Amount, AuditEntry, Balance, Capture, Captured, Charge, ChargeTerms, Credit,
    Credited, Deposit, Dispute, DisputeEnd, Extend, Granted, Head, Hold, HoldState, KeyUsage, Moved, NewHold, Outcome,
    Part, Receipt, ReceiptPart, Refund, RefundEnd, Source, Totals,
};
pub use verify::{Check, Finding, VerifyReport};
