//! The task that sends captures to the ledger, batch after batch, and does not give up while it is away.
//!
//! Under load it lets captures gather for some milliseconds: a commit costs the same for one as for a hundred. A capture
//! that comes alone is sent at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Shared;
use super::queue::Queued;
use crate::error::LedgerError;
use crate::ledger::Capture;

/// Captures in one question to the ledger.
const BATCH: usize = 512;
/// The first wait after a failure; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// From the start of one batch to that of the next. What a killed gateway can lose grows by as much.
const GATHER: Duration = Duration::from_millis(10);

pub(super) async fn run(shared: Arc<Shared>) {
    let mut next = Instant::now();
    loop {
        tokio::time::sleep_until(next).await;
        let batch = shared.queue.take(BATCH).await;
        next = Instant::now() + GATHER;
        if let Err(error) = send(&shared, &batch).await {
            tracing::error!(captures = shared.queue.waiting(), %error, "captures are lost: the ledger was closed first");
            shared.queue.stop();
            return;
        }
        batch.iter().for_each(|queued| queued.lease.capture_done());
        shared.queue.done(batch.len());
    }
}

/// Sends one batch until the ledger takes it. A capture is charged once however often it is sent.
async fn send(shared: &Shared, batch: &[Queued]) -> Result<(), LedgerError> {
    let mut wait = FIRST_WAIT;
    loop {
        let captures: Vec<Capture> = batch.iter().map(|queued| queued.capture.clone()).collect();
        match shared.ledger.capture_all(captures).await {
            Ok(answers) => {
                for (queued, answer) in batch.iter().zip(answers) {
                    report(queued, answer.err());
                }
                return Ok(());
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(captures = batch.len(), wait_ms = wait.as_millis(), %error, "captures wait for the ledger");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            Err(error) => return Err(error),
        }
    }
}

/// A capture that the ledger can never take must not hold up the others.
fn report(queued: &Queued, error: Option<LedgerError>) {
    if let Some(error) = error {
        let Capture { request, hold, charge, .. } = &queued.capture;
        let nano_usd = charge.split().total.as_i64();
        tracing::error!(%request, %hold, nano_usd, %error, "a capture was refused and is given up");
    }
}
