//! Opening a ledger: which database keeps it, and how.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use peerway_billing_postgres::PostgresStore;
use peerway_billing_sqlite::SqliteStore;
use peerway_billing_store::{OpenError, Store};
use tokio::sync::mpsc;

use super::api::{Inner, Ledger};
use super::database::Database;
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
    /// Whether a ledger is made where there is none. Default: yes.
    pub make: bool,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        Self { clock: Clock::system(), queue: 4096, busy: Duration::from_secs(5), make: true }
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
        Self::open_in(&Database::Sqlite(path.as_ref().to_owned()), options).await
    }

    /// Opens the ledger that `database` keeps. An empty database becomes a ledger, unless that is not wanted.
    ///
    /// # Errors
    /// One line that names the database: no ledger there, unusable, something else, or newer than this program.
    pub async fn open_in(database: &Database, options: LedgerOptions) -> Result<Self, OpenError> {
        let store: Arc<dyn Store> = match database {
            Database::Sqlite(path) if !options.make && !path.is_file() => {
                return Err(OpenError::Missing { place: path.display().to_string() });
            }
            Database::Sqlite(path) => Arc::new(SqliteStore::open(path, options.busy).await?),
            Database::Postgres(address) => Arc::new(PostgresStore::open(address, options.busy, options.make).await?),
        };
        let (sender, receiver) = mpsc::channel(options.queue.max(1));
        let writer = Writer::new(Arc::clone(&store), options.clock.clone());
        let writer = Mutex::new(Some(tokio::spawn(writer.run(receiver))));
        let queue = Mutex::new(Some(sender));
        let inner = Inner { store, clock: options.clock, queue, writer };
        Ok(Self { inner: Arc::new(inner), tenure: None })
    }
}
