//! Opening a ledger: which database keeps it, and how.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use peerway_billing_sqlite::SqliteStore;
use peerway_billing_store::{OpenError, Store};
use tokio::sync::mpsc;

use super::api::{Inner, Ledger};
use super::writer::Writer;
use crate::clock::Clock;

/// How a ledger is opened; the default is right for everything but tests and benchmarks.
#[derive(Debug, Clone)]
pub struct LedgerOptions {
    /// Where "now" comes from: decides which holds have expired.
    pub clock: Clock,
    /// Commands that may wait for the writer; beyond that callers wait to ask. Default 4096.
    pub queue: usize,
    /// How long to wait for another process that is writing, before the database counts as away. Default 5 s.
    pub busy: Duration,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        Self { clock: Clock::system(), queue: 4096, busy: Duration::from_secs(5) }
    }
}

impl Ledger {
    /// Opens the ledger in the SQLite file at `path`, making the file if it is missing (its folder must exist).
    ///
    /// # Errors
    /// One line that names the file: unusable, something else, or newer than this program.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(path, LedgerOptions::default()).await
    }

    /// As [`Ledger::open`], with a clock and a queue of one's own.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub async fn open_with(path: impl AsRef<Path>, options: LedgerOptions) -> Result<Self, OpenError> {
        let store = SqliteStore::open(path.as_ref(), options.busy).await?;
        Ok(Self::kept_in(Arc::new(store), options))
    }

    fn kept_in(store: Arc<dyn Store>, options: LedgerOptions) -> Self {
        let (sender, receiver) = mpsc::channel(options.queue.max(1));
        let writer = Writer::new(Arc::clone(&store), options.clock.clone());
        let writer = Mutex::new(Some(tokio::spawn(writer.run(receiver))));
        let queue = Mutex::new(Some(sender));
        let inner = Inner { store, clock: options.clock, queue, writer };
        Self { inner: Arc::new(inner), tenure: None }
    }
}
