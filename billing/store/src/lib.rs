//! What the ledger asks of a database: its rows, and how they are read and written.
//!
//! The ledger decides everything in memory. A database keeps rows, lets one writer at a time read them and add to them
//! in one transaction, and answers questions beside it. So a second database is a second set of statements and no second
//! set of rules. Rejected: money moved by statements, which would have to be right once for each database.
//!
//! | file | idea |
//! | --- | --- |
//! | `rows/` | the rows of each table |
//! | `batch` | what a batch of changes reads and writes |
//! | `questions` | what can be asked beside the writer |
//! | `statements` | what was spent by day, and who is told of it |
//! | `tree` | the Merkle tree over the log |
//! | `snapshot` | everything as it is at one moment, to be checked or written out |
//! | `payments` | what is kept of payments beside the log |
//! | `error` | what can go wrong |

mod batch;
mod error;
mod payments;
mod questions;
mod rows;
mod snapshot;
mod statements;
mod tree;

pub use batch::{Changes, Loaded, Spender, Transaction, Wanted};
pub use error::{OpenError, StoreError};
pub use payments::{EventRow, PaymentRecords, PaymentRow, RefundRow, TopUpRow};
pub use questions::{Charges, Logged, Questions, Sums, Windows};
pub use rows::{
    AccountNow, AccountRow, AlertRow, ChargeRow, CheckpointRow, DayRow, EntryRow, HoldRow, HookRow, KeyRow, Link,
    MemberRow, NodeRow, OwnerRow, PartRow, PastCredit, PastMove, ShareRow, TransferRow,
};
pub use snapshot::{LogPage, Snapshot};
pub use statements::{Days, FirstDays, Statements};
pub use tree::Tree;

use std::sync::Arc;

use async_trait::async_trait;

/// A database that keeps a ledger. It is shared by all who ask, in this process and in others.
#[async_trait]
pub trait Store: Questions + Statements + Tree {
    /// Begins the one transaction that may write, and reads what it needs. Others who begin one, in whatever process,
    /// wait until it has ended, so that what was read is still true when it is written.
    ///
    /// # Errors
    /// The database is away, or others wrote for too long. Nothing has happened then.
    async fn begin(&self, wanted: &Wanted) -> Result<(Loaded, Box<dyn Transaction>), StoreError>;

    /// Everything as it is now, whatever is written meanwhile.
    ///
    /// # Errors
    /// The database is away.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;

    /// What it keeps of payments beside the log. `None`: it keeps nothing of them.
    fn payments(self: Arc<Self>) -> Option<Arc<dyn PaymentRecords>> {
        None
    }

    /// Where it is, for people: without a password.
    fn place(&self) -> &str;

    /// Lets go of it, once the questions that are being answered are.
    async fn close(&self);
}
