//! The ledger in a SQLite file, which several processes of one machine may open.
//!
//! Every statement is checked against the schema when this crate is compiled, by what `.sqlx` remembers of it.
//!
//! | file | idea |
//! | --- | --- |
//! | `open` | files, pragmas, schema versions |
//! | `tables` | the columns of every table, said once |
//! | `batch` | the one transaction that writes |
//! | `load`, `save` | what a batch reads, and what it writes |
//! | `questions` | what is asked beside the writer |
//! | `statements`, `tree` | the same of what was spent by day, and of the Merkle tree |
//! | `snapshot` | everything at one moment, and whether the file is whole |
//! | `payments` | what is kept of payments beside the log |
//! | `error` | what SQLite's failures mean |

mod batch;
mod error;
mod load;
mod open;
mod payments;
mod questions;
mod save;
mod snapshot;
mod statements;
mod tables;
mod tree;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use peerway_billing_store::{Loaded, OpenError, PaymentRecords, Snapshot, Store, StoreError, Transaction, Wanted};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use crate::error::failed;

/// Connections for questions; they never write.
const READERS: u32 = 4;

/// How long a question waits for one of them, and closing waits for the last question.
const PATIENCE: Duration = Duration::from_secs(5);

/// A ledger's file, open.
#[derive(Debug)]
pub struct SqliteStore {
    place: String,
    connect: SqliteConnectOptions,
    /// The connection that writes. `None` while a batch has it, or after one failed: the next opens the file anew.
    writer: Arc<Mutex<Option<SqliteConnection>>>,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the file at `path`, making it if it is missing (its folder must exist). A batch waits for `busy` at most
    /// while another process is writing.
    ///
    /// # Errors
    /// The file is unusable, something else, or newer than this program.
    pub async fn open(path: &Path, busy: Duration) -> Result<Self, OpenError> {
        let connection = open::open(path, busy).await?;
        let connect = open::connect_options(path, busy).create_if_missing(false);
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .min_connections(0)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(connect.clone().pragma("query_only", "ON"));
        let writer = Arc::new(Mutex::new(Some(connection)));
        Ok(Self { place: path.display().to_string(), connect, writer, readers })
    }

    /// The one transaction that writes, with nothing read yet.
    async fn batch(&self) -> Result<batch::Batch, StoreError> {
        batch::Batch::begin(Arc::clone(&self.writer), &self.connect).await.map_err(failed)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn begin(&self, wanted: &Wanted) -> Result<(Loaded, Box<dyn Transaction>), StoreError> {
        let mut batch = self.batch().await?;
        let loaded = load::load(batch.connection(), wanted).await.map_err(failed)?;
        Ok((loaded, Box::new(batch)))
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(snapshot::Moment::of(self.readers.begin().await.map_err(failed)?)))
    }

    fn payments(self: Arc<Self>) -> Option<Arc<dyn PaymentRecords>> {
        Some(self)
    }

    fn place(&self) -> &str {
        &self.place
    }

    async fn close(&self) {
        // Errors lose nothing: what was answered is on disk.
        if let Some(connection) = self.writer.lock().await.take() {
            drop(connection.close().await);
        }
        drop(tokio::time::timeout(PATIENCE, self.readers.close()).await);
    }
}
