//! The till: admits requests against leased credit, in memory.
//!
//! The problem: a durable hold costs a disk flush of about 2 ms, and the whole hop through a gateway may add
//! half a millisecond. So the till leases credit from the ledger, one durable hold per account in its owner's
//! name, admits requests against that lease without any I/O, and lets the captures follow in batches.
//!
//! A capture is durable within milliseconds: a journal on this gateway's own disk takes all that wait with one flush. So a
//! killed gateway loses the captures of those milliseconds and no others; the platform bears them, and the customer is never
//! charged twice, never for what was not delivered, and never below zero. Rejected: admitting on a cached balance (two
//! gateways would spend the same credit); waiting for the ledger instead of the journal (its commit is the slower the more
//! gateways share it, and where it is away for a minute, a crash would lose that minute).
//!
//! | file | idea |
//! | --- | --- |
//! | `config` | sizes and times |
//! | `lease` | one lease's money in memory |
//! | `slot` | one account: its lease, and who may ask the ledger for more |
//! | `admit` | from a request to an [`Admitted`] |
//! | `admitted` | one admitted request: captured once, or given back |
//! | `inbox` | captures that are not durable yet |
//! | `journal` | files of captures |
//! | `scribe` | the thread that writes them |
//! | `queue` | captures on their way from there to the ledger |
//! | `flush` | the task that sends them |
//! | `replay` | what a crashed predecessor left in its journal |
//! | `keeper` | the task that renews leases in use, releases idle ones, and gives back what is scarce |
//! | `scarce` | leases near zero, of which something came free |

mod admit;
mod admitted;
mod config;
mod flush;
mod inbox;
mod journal;
mod keeper;
#[cfg(test)]
mod kill_points;
mod lease;
mod queue;
mod replay;
mod scarce;
mod scribe;
mod slot;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use tokio::task::AbortHandle;

pub use admit::AdmitError;
pub use admitted::Admitted;
pub use config::TillConfig;
pub use journal::JournalError;
pub use queue::FlushError;

use crate::error::LedgerError;
use crate::id::{AccountId, OwnerId};
use crate::ledger::Ledger;
use journal::{Journal, Number};
use queue::CaptureQueue;
use scarce::Scarce;
use scribe::Scribe;
use slot::Slot;

/// Admits requests for one gateway. Clones share it; the last one dropped stops its tasks, and waits for the journal's last
/// write.
#[derive(Clone, Debug)]
pub struct Till {
    shared: Arc<Shared>,
    _tasks: Arc<Tasks>,
}

/// What the till, its tasks and every admitted request have in common.
#[derive(Debug)]
struct Shared {
    ledger: Ledger,
    config: TillConfig,
    slots: RwLock<HashMap<AccountId, Arc<Slot>>>,
    queue: Arc<CaptureQueue>,
    scarce: Scarce,
    closed: AtomicBool,
    /// Another process is this owner now: nothing that is done here counts any more.
    taken_over: AtomicBool,
}

impl Shared {
    /// Learns from a refusal whether this till is over. Captures stay in its journal for whoever opens it next.
    fn learn(&self, error: &LedgerError) {
        if matches!(error, LedgerError::TakenOver { .. }) && !self.taken_over.swap(true, Ordering::SeqCst) {
            tracing::error!(owner = %self.config.owner, %error, "this gateway admits nothing more: another one took over");
        }
    }
}

#[derive(Debug)]
struct Tasks {
    tasks: [AbortHandle; 2],
    _scribe: Scribe,
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// A glance at the till, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TillStats {
    /// Accounts with a lease.
    pub leases: usize,
    /// Captures that are not in the ledger yet.
    pub queued_captures: u64,
    /// Of those, the ones that are not in the journal either: a crash would lose them.
    pub undurable_captures: u64,
}

impl Till {
    /// Opens a till on `ledger`, as the only one of its owner: an earlier one that is still about, in a process that was
    /// thought dead, can neither hold nor capture any more. What a crashed predecessor of the same owner left in the journal is charged first, while
    /// its leases are open; then these are released. So an owner's name must be stable for one data folder and used by one
    /// process at a time.
    ///
    /// # Errors
    /// A journal that cannot be used, or the ledger's failure. Nothing is lost: what was not replayed yet stays where it is.
    pub async fn open(ledger: Ledger, config: TillConfig) -> Result<Self, OpenTillError> {
        let (journal, left) = Journal::open(&config.journal)?;
        Self::open_with(ledger, config, journal, left).await
    }

    async fn open_with(
        ledger: Ledger,
        config: TillConfig,
        mut journal: Journal,
        left: Vec<Number>,
    ) -> Result<Self, OpenTillError> {
        let ledger = ledger.take_over(&config.owner).await?;
        replay::replay(&ledger, &mut journal, left).await?;
        let released = ledger.release_owner(&config.owner).await?;
        if released > 0 {
            tracing::warn!(owner = %config.owner, leases = released, "released leases that a predecessor left open");
        }
        let queue = Arc::new(CaptureQueue::new(config.queue, config.backlog));
        let scribe = Scribe::start(Arc::clone(&queue), journal).map_err(OpenTillError::Thread)?;
        let slots = RwLock::new(HashMap::new());
        let shared = Arc::new(Shared {
            ledger,
            config,
            slots,
            queue,
            scarce: Scarce::default(),
            closed: AtomicBool::new(false),
            taken_over: AtomicBool::new(false),
        });
        let flusher = tokio::spawn(flush::run(Arc::clone(&shared)));
        let keeper = tokio::spawn(keeper::run(Arc::clone(&shared)));
        let tasks = Tasks { tasks: [flusher.abort_handle(), keeper.abort_handle()], _scribe: scribe };
        Ok(Self { shared, _tasks: Arc::new(tasks) })
    }

    /// In whose name it leases.
    #[must_use]
    pub fn owner(&self) -> &OwnerId {
        &self.shared.config.owner
    }

    /// Waits until every capture made so far outlives a crash: a few milliseconds. Takes as long as the journal cannot be
    /// written.
    pub async fn durable(&self) {
        self.shared.queue.all_durable().await;
    }

    /// Waits until every capture made so far is in the ledger. Takes as long as the database is away.
    ///
    /// # Errors
    /// The ledger was closed under the till, and captures wait in the journal.
    pub async fn flush(&self) -> Result<(), FlushError> {
        self.shared.queue.flushed().await
    }

    /// Admits nothing more, flushes, and releases all leases. Takes as long as the database is away, so give
    /// it a time limit. Let admitted requests end first: what they capture later is still posted while a clone
    /// of the till lives, as far as the account's credit goes.
    ///
    /// # Errors
    /// Captures wait in the journal, or the leases could not be released and expire by themselves.
    pub async fn close(&self) -> Result<(), CloseError> {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.flush().await?;
        self.shared.ledger.release_owner(&self.shared.config.owner).await?;
        self.shared.slots.write().clear();
        Ok(())
    }

    /// One round of renewing leases in use, releasing idle ones and sweeping expired holds. The till does this
    /// by itself every `renew_every`.
    pub async fn maintain(&self) {
        keeper::round(&self.shared).await;
    }

    /// A glance, for metrics.
    #[must_use]
    pub fn stats(&self) -> TillStats {
        let leases = self.shared.slots.read().values().filter(|slot| slot.lease().is_some()).count();
        let queue = &self.shared.queue;
        TillStats { leases, queued_captures: queue.waiting(), undurable_captures: queue.undurable() }
    }
}

/// Why a till did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenTillError {
    /// The journal of captures.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The ledger's failure, at the replay or when leases were released.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The system gave no thread for the journal.
    #[error("the journal's thread could not be started: {0}")]
    Thread(#[source] std::io::Error),
}

/// Why a till did not close cleanly.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// Captures wait in the journal for the next start.
    #[error(transparent)]
    Flush(#[from] FlushError),
    /// All captures are in the ledger, but leases stay until they expire.
    #[error("the leases could not be released and will expire by themselves: {0}")]
    Release(#[from] LedgerError),
}
