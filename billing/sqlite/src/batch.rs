//! The one transaction that writes. It owns the connection and gives it back only when it has ended well: a connection
//! that is dropped rolls back whatever state it was in, and none is ever used again after a failure.

use std::sync::Arc;

use async_trait::async_trait;
use peerway_billing_store::{Changes, StoreError, Transaction};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::failed;
use crate::save::save;

pub(crate) struct Batch {
    connection: SqliteConnection,
    /// Where the connection came from; held, so that batches of this process wait here and not at the file.
    home: OwnedMutexGuard<Option<SqliteConnection>>,
}

impl Batch {
    pub(crate) async fn begin(
        home: Arc<Mutex<Option<SqliteConnection>>>,
        connect: &SqliteConnectOptions,
    ) -> Result<Self, sqlx::Error> {
        let mut home = home.lock_owned().await;
        let mut connection = match home.take() {
            Some(connection) => connection,
            None => connect.connect().await?,
        };
        sqlx::query!("BEGIN IMMEDIATE").execute(&mut connection).await?;
        Ok(Self { connection, home })
    }

    /// Commits what was done on the connection itself.
    pub(crate) async fn keep(self) -> Result<(), StoreError> {
        let Self { mut connection, mut home } = self;
        sqlx::query!("COMMIT").execute(&mut connection).await.map_err(failed)?;
        *home = Some(connection);
        Ok(())
    }

    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

#[async_trait]
impl Transaction for Batch {
    async fn commit(self: Box<Self>, changes: &Changes) -> Result<(), StoreError> {
        let Self { mut connection, mut home } = *self;
        if changes.is_empty() {
            sqlx::query!("ROLLBACK").execute(&mut connection).await.map_err(failed)?;
        } else {
            save(&mut connection, changes).await.map_err(failed)?;
            sqlx::query!("COMMIT").execute(&mut connection).await.map_err(failed)?;
        }
        *home = Some(connection);
        Ok(())
    }
}
