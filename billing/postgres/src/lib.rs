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
//! | `statements`, `tree` | the same of what was spent by day, and of the Merkle tree |
//! | `snapshot` | everything at one moment |
//! | `payments` | what is kept of payments beside the log |
//! | `schema` | whether the tables are as they were made |
//! | `error` | what PostgreSQL's failures mean |

mod batch;
mod error;
mod load;
mod open;
mod payments;
mod questions;
mod save;
mod schema;
mod snapshot;
mod statements;
mod tables;
mod tree;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use peerway_billing_store::{Loaded, OpenError, PaymentRecords, Snapshot, Store, StoreError, Transaction, Wanted};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::Mutex;

use crate::error::answer;
pub use crate::open::Address;

/// Connections for questions; they never write.
const READERS: u32 = 4;

/// Connections for what is kept of payments.
const RECORDERS: u32 = 2;

/// How long one of them is waited for, and closing waits for the last question.
const PATIENCE: Duration = Duration::from_secs(5);

/// Begins a transaction that sees one moment.
const MOMENT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A ledger's database, open.
pub struct PostgresStore {
    place: String,
    connect: PgConnectOptions,
    /// The connection that writes. `None` while a batch has it, or after one failed: the next connects anew.
    writer: Arc<Mutex<Option<PgConnection>>>,
    readers: PgPool,
    /// Connections that write what is kept of payments: it is not in the log, so it waits for no batch.
    records: PgPool,
}

impl PostgresStore {
    /// Opens the database at `address`; where it is empty, the ledger's tables are made if `make` says so. A batch waits for `busy` at most while
    /// another gateway is writing.
    ///
    /// # Errors
    /// No such server or database, nothing or something else in it, or a ledger newer than this program.
    pub async fn open(address: &Address, busy: Duration, make: bool) -> Result<Self, OpenError> {
        let (place, connect) = (address.place().to_owned(), address.writes(busy));
        let connection = open::open(&place, &connect, make).await?;
        let pool = |connections| PgPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
        let readers = pool(READERS).connect_lazy_with(address.reads());
        let records = pool(RECORDERS).connect_lazy_with(connect.clone());
        Ok(Self { place, connect, writer: Arc::new(Mutex::new(Some(connection))), readers, records })
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
        let at = answer(Box::pin(self.readers.begin_with(MOMENT))).await?;
        Ok(Box::new(snapshot::Moment::of(at)))
    }

    fn payments(self: Arc<Self>) -> Option<Arc<dyn PaymentRecords>> {
        Some(self)
    }

    fn place(&self) -> &str {
        &self.place
    }

    async fn close(&self) {
        // Errors lose nothing: what was answered is on the server's disk.
        if let Some(connection) = self.writer.lock().await.take() {
            drop(answer(connection.close()).await);
        }
        let idle = async { tokio::join!(self.readers.close(), self.records.close()) };
        drop(tokio::time::timeout(PATIENCE, idle).await);
    }
}
