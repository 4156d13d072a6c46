//! The writer: one task that takes what is waiting and commits it as one batch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use peerway_billing_store::Store;
use tokio::sync::mpsc;

use super::batch;
use super::command::Command;
use crate::clock::Clock;

/// Commands in one transaction at most: bounds the time that the database is locked and the memory of a batch.
pub(super) const BATCH: usize = 512;

/// How long a batch waits for callers who have just been answered and are about to ask again. Without it
/// batches alternate between one early caller and all the others, at half the throughput.
const GATHER: Duration = Duration::from_micros(300);

pub(super) struct Writer {
    store: Arc<dyn Store>,
    clock: Clock,
}

impl Writer {
    pub(super) fn new(store: Arc<dyn Store>, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Serves until every sender is gone and the queue is empty; what was queued is still done.
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Command>) {
        let mut commands = Vec::with_capacity(BATCH);
        let mut settles = Vec::with_capacity(BATCH);
        let mut usual = 1;
        while queue.recv_many(&mut commands, BATCH).await > 0 {
            gather(&mut queue, &mut commands, usual).await;
            usual = commands.len();
            let failure = batch::run(&*self.store, self.clock.now(), &mut commands, &mut settles).await.err();
            if let Some(failure) = &failure {
                tracing::error!(commands = commands.len() + settles.len(), error = %failure, "ledger batch failed");
            }
            for settle in settles.drain(..) {
                settle(failure.as_ref());
            }
            if let Some(failure) = failure {
                commands.drain(..).for_each(|command| command.refuse(failure.clone()));
            }
        }
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
