//! The ledger in a PostgreSQL database, which any number of gateways share.
//!
//! Every statement is checked against the schema when this crate is compiled, by what `.sqlx` remembers of it.
//!
//! | file | idea |
//! | --- | --- |
//! | `open` | which server, how it is spoken to, schema versions |
//! | `tables` | the columns of every table, said once |
//! | `batch` | the one transaction that writes, in all gateways |
//! | `load`, `save` | what a batch reads, and what it writes |
//! | `questions` | what is asked beside the writer |
//! | `snapshot` | everything at one moment |
//! | `schema` | whether the tables are as they were made |
//! | `error` | what PostgreSQL's failures mean |

mod batch;
mod error;
mod load;
mod open;
mod questions;
mod save;
mod schema;
mod snapshot;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use peerway_billing_store::{Loaded, OpenError, Snapshot, Store, StoreError, Transaction, Wanted};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::Mutex;

use crate::error::answer;
pub use crate::open::Address;

/// Connections for questions; they never write.
const READERS: u32 = 4;

/// How long a question waits for one of them, and closing waits for the last question.
const PATIENCE: Duration = Duration::from_secs(5);

/// A ledger's database, open.
pub struct PostgresStore {
    place: String,
    connect: PgConnectOptions,
    /// The connection that writes. `None` while a batch has it, or after one failed: the next connects anew.
    writer: Arc<Mutex<Option<PgConnection>>>,
    readers: PgPool,
}

impl PostgresStore {
    /// Opens the database at `address`, making the ledger's tables in an empty one. A batch waits for `busy` at most while
    /// another gateway is writing.
    ///
    /// # Errors
    /// No such server or database, something else in it, or a ledger newer than this program.
    pub async fn open(address: &Address, busy: Duration) -> Result<Self, OpenError> {
        let (place, connect) = (address.place().to_owned(), address.writes(busy));
        let connection = open::open(&place, &connect).await?;
        let readers = PgPoolOptions::new()
            .max_connections(READERS)
            .min_connections(0)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(address.reads());
        Ok(Self { place, connect, writer: Arc::new(Mutex::new(Some(connection))), readers })
    }
}

/// Without the password.
impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").field("place", &self.place).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn begin(&self, wanted: &Wanted) -> Result<(Loaded, Box<dyn Transaction>), StoreError> {
        let mut batch = answer(batch::Batch::begin(Arc::clone(&self.writer), &self.connect)).await?;
        let loaded = answer(load::load(batch.connection(), wanted)).await?;
        Ok((loaded, Box::new(batch)))
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        let at = answer(self.readers.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")).await?;
        Ok(Box::new(snapshot::Moment::of(at)))
    }

    fn place(&self) -> &str {
        &self.place
    }

    async fn close(&self) {
        // Errors lose nothing: what was answered is on the server's disk.
        if let Some(connection) = self.writer.lock().await.take() {
            drop(answer(connection.close()).await);
        }
        drop(tokio::time::timeout(PATIENCE, self.readers.close()).await);
    }
}
