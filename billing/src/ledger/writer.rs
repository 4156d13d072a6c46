//! The writer: one task that takes what is waiting and commits it as one batch.

use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::mpsc;

use super::batch;
use super::command::{Command, Settle};
use crate::clock::Clock;
use crate::error::LedgerError;

/// Commands in one transaction at most: bounds the time that the file is locked and the memory of a batch.
pub(super) const BATCH: usize = 512;

/// How long a batch waits for callers who have just been answered and are about to ask again. Without it
/// batches alternate between one early caller and all the others, at half the throughput.
const GATHER: Duration = Duration::from_micros(300);

pub(super) struct Writer {
    options: SqliteConnectOptions,
    clock: Clock,
    /// `None` after a failure: the next batch opens the file anew.
    connection: Option<SqliteConnection>,
}

impl Writer {
    pub(super) fn new(options: SqliteConnectOptions, clock: Clock, connection: SqliteConnection) -> Self {
        Self { options, clock, connection: Some(connection) }
    }

    /// Serves until every sender is gone and the queue is empty; what was queued is still done.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        let mut commands = Vec::with_capacity(BATCH);
        let mut settles = Vec::with_capacity(BATCH);
        let mut usual = 1;
        while queue.recv_many(&mut commands, BATCH).await > 0 {
            gather(&mut queue, &mut commands, usual).await;
            usual = commands.len();
            let failure = self.commit(&mut commands, &mut settles).await.err();
            if let Some(failure) = &failure {
                tracing::error!(commands = commands.len() + settles.len(), error = %failure, "ledger batch failed");
                self.connection = None;
            }
            for settle in settles.drain(..) {
                settle(failure.as_ref());
            }
            if let Some(failure) = failure {
                commands.drain(..).for_each(|command| command.refuse(failure.clone()));
            }
        }
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the ledger's file did not close cleanly; nothing durable is lost");
        }
    }

    async fn commit(&mut self, commands: &mut Vec<Command>, settles: &mut Vec<Settle>) -> Result<(), LedgerError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            closed => closed.insert(self.options.connect().await?),
        };
        batch::run(connection, self.clock.now(), commands, settles).await
    }
}

/// Lets callers run until as many commands wait as last time, or [`GATHER`] is over.
async fn gather(queue: &mut mpsc::Receiver<Command>, commands: &mut Vec<Command>, usual: usize) {
    let since = Instant::now();
    while commands.len() < usual.min(BATCH) && since.elapsed() < GATHER {
        tokio::task::yield_now().await;
        while commands.len() < BATCH
            && let Ok(command) = queue.try_recv()
        {
            commands.push(command);
        }
    }
}
