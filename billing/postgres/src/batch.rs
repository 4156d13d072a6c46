//! The one transaction that writes, of all gateways together. It begins by taking a lock that all of them take, so that
//! what one reads is what the one before wrote, and all append to one chain. Rejected: serializable transactions, of
//! which PostgreSQL fails all but one when several gateways append to the same log.
//!
//! It owns the connection and gives it back only when it has ended well: PostgreSQL rolls back what a connection that is
//! dropped was doing, and none is ever used again after a failure.

use std::sync::Arc;

use async_trait::async_trait;
use peerway_billing_store::{Changes, StoreError, Transaction};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::answer;
use crate::save::save;

/// "PWLG": the name of the lock, within a database.
pub(crate) const LOCK: i64 = 0x5057_4c47;

pub(crate) struct Batch {
    connection: PgConnection,
    /// Where the connection came from; held, so that batches of this process wait here and not at the server.
    home: OwnedMutexGuard<Option<PgConnection>>,
}

impl Batch {
    pub(crate) async fn begin(
        home: Arc<Mutex<Option<PgConnection>>>,
        connect: &PgConnectOptions,
    ) -> Result<Self, sqlx::Error> {
        let mut home = home.lock_owned().await;
        let kept = match home.take() {
            Some(connection) => begun(connection).await.ok(),
            None => None,
        };
        // A server that was started anew ended its connections: that is noticed only now, and nothing has happened yet.
        let mut connection = match kept {
            Some(connection) => connection,
            None => begun(connect.connect().await?).await?,
        };
        sqlx::query!("SELECT pg_advisory_xact_lock($1)", LOCK).execute(&mut connection).await?;
        Ok(Self { connection, home })
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// Each statement sees what was committed before it, and so what the holder of the lock before committed.
async fn begun(mut connection: PgConnection) -> Result<PgConnection, sqlx::Error> {
    sqlx::query!("BEGIN ISOLATION LEVEL READ COMMITTED").execute(&mut connection).await?;
    Ok(connection)
}

#[async_trait]
impl Transaction for Batch {
    async fn commit(self: Box<Self>, changes: &Changes) -> Result<(), StoreError> {
        let Self { mut connection, mut home } = *self;
        if changes.is_empty() {
            answer(sqlx::query!("ROLLBACK").execute(&mut connection)).await?;
        } else {
            answer(save(&mut connection, changes)).await?;
            answer(sqlx::query!("COMMIT").execute(&mut connection)).await?;
        }
        *home = Some(connection);
        Ok(())
    }
}
