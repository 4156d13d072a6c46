//! The till: admits requests against leased credit, in memory.
//!
//! The problem: a durable hold costs a disk flush of about 2 ms, and the whole hop through a gateway may add
//! half a millisecond. So the till leases credit from the ledger, one durable hold per account in its owner's
//! name, admits requests against that lease without any I/O, and lets the captures follow in batches.
//!
//! What that costs: captures of the last few milliseconds are lost when the process is killed, and the platform
//! bears them; the customer is never charged twice, never for what was not delivered, and never below zero.
//! Rejected: a journal file of the till's own (a second truth beside the ledger, with a replay to get right, to
//! save milliseconds that the platform can afford); admitting on a cached balance (two gateways would spend
//! the same credit).
//!
//! | file | idea |
//! | --- | --- |
//! | `config` | sizes and times |
//! | `lease` | one lease's money in memory |
//! | `slot` | one account: its lease, and who may ask the ledger for more |
//! | `admit` | from a request to an [`Admitted`] |
//! | `admitted` | one admitted request: captured once, or given back |
//! | `queue` | captures on their way to the ledger |
//! | `flush` | the task that sends them |
//! | `keeper` | the task that renews leases in use and releases idle ones |

mod admit;
mod admitted;
mod config;
mod flush;
mod keeper;
mod lease;
mod queue;
mod slot;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use tokio::task::AbortHandle;

pub use admit::AdmitError;
pub use admitted::Admitted;
pub use config::TillConfig;
pub use queue::FlushError;

use crate::error::LedgerError;
use crate::id::AccountId;
use crate::ledger::Ledger;
use queue::CaptureQueue;
use slot::Slot;

/// Admits requests for one gateway. Clones share it; the last one dropped stops its tasks.
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
    queue: CaptureQueue,
    closed: AtomicBool,
}

#[derive(Debug)]
struct Tasks([AbortHandle; 2]);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

/// A glance at the till, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TillStats {
    /// Accounts with a lease.
    pub leases: usize,
    /// Captures that are not durable yet.
    pub queued_captures: u64,
}

impl Till {
    /// Opens a till on `ledger`. Leases that a crashed predecessor of the same owner left are released first,
    /// so an owner's name must be stable for one data folder and used by one process at a time.
    ///
    /// # Errors
    /// The ledger's failure to release them.
    pub async fn open(ledger: Ledger, config: TillConfig) -> Result<Self, LedgerError> {
        let left = ledger.release_owner(&config.owner).await?;
        if left > 0 {
            tracing::warn!(owner = %config.owner, leases = left, "released leases that a predecessor left open");
        }
        let queue = CaptureQueue::new(config.queue);
        let slots = RwLock::new(HashMap::new());
        let shared = Arc::new(Shared { ledger, config, slots, queue, closed: AtomicBool::new(false) });
        let flusher = tokio::spawn(flush::run(Arc::clone(&shared)));
        let keeper = tokio::spawn(keeper::run(Arc::clone(&shared)));
        let tasks = Tasks([flusher.abort_handle(), keeper.abort_handle()]);
        Ok(Self { shared, _tasks: Arc::new(tasks) })
    }

    /// Waits until every capture made so far is durable. Takes as long as the database is away.
    ///
    /// # Errors
    /// The ledger was closed under the till, and captures are lost.
    pub async fn flush(&self) -> Result<(), FlushError> {
        self.shared.queue.flushed().await
    }

    /// Admits nothing more, flushes, and releases all leases. Takes as long as the database is away, so give
    /// it a time limit. Let admitted requests end first: what they capture later is still posted while a clone
    /// of the till lives, as far as the account's credit goes.
    ///
    /// # Errors
    /// Captures are lost, or the leases could not be released and expire by themselves.
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
        TillStats { leases, queued_captures: self.shared.queue.waiting() }
    }
}

/// Why a till did not close cleanly.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// Captures are lost.
    #[error(transparent)]
    Flush(#[from] FlushError),
    /// All captures are durable, but leases stay until they expire.
    #[error("the leases could not be released and will expire by themselves: {0}")]
    Release(#[from] LedgerError),
}
