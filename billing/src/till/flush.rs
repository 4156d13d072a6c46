//! The task that sends durable captures to the ledger, batch after batch, and does not give up while it is away.
//!
//! Under load it lets captures gather for some milliseconds: a commit costs the same for one as for a hundred. A capture
//! that comes alone is sent at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Shared;
use super::queue::Durable;
use crate::error::LedgerError;
use crate::ledger::Capture;

/// Captures in one question to the ledger.
pub(super) const BATCH: usize = 512;
/// The first wait after a failure; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// From the start of one batch to that of the next.
const GATHER: Duration = Duration::from_millis(10);

pub(super) async fn run(shared: Arc<Shared>) {
    let mut next = Instant::now();
    loop {
        tokio::time::sleep_until(next).await;
        let mut batch = shared.queue.take(BATCH).await;
        next = Instant::now() + GATHER;
        let refused = match send(&shared, &batch).await {
            Ok(refused) => refused,
            Err(error) => {
                let captures = shared.queue.waiting();
                shared.learn(&error);
                tracing::error!(captures, %error, "captures wait in the journal for the next start");
                shared.queue.stop();
                return;
            }
        };
        for durable in &mut batch {
            durable.lease.capture_done();
            durable.budgets.clear();
        }
        shared.queue.done(&batch, &refused);
    }
}

/// Sends one batch until the ledger takes it; answers the places of what it refused. A capture is charged once however often
/// it is sent.
async fn send(shared: &Shared, batch: &[Durable]) -> Result<Vec<usize>, LedgerError> {
    let mut wait = FIRST_WAIT;
    loop {
        let captures: Vec<Capture> = batch.iter().map(|durable| durable.capture.clone()).collect();
        match shared.ledger.capture_all(captures).await {
            Ok(answers) => {
                let refused =
                    answers.into_iter().enumerate().filter_map(|(place, answer)| Some((place, answer.err()?)));
                return Ok(refused.map(|(place, error)| reported(place, &batch[place].capture, &error)).collect());
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

fn reported(place: usize, capture: &Capture, error: &LedgerError) -> usize {
    report(capture, error);
    place
}

/// A capture that the ledger can never take must not hold up the others.
pub(super) fn report(capture: &Capture, error: &LedgerError) {
    let Capture { request, hold, charge, .. } = capture;
    let nano_usd = charge.split().total.as_i64();
    tracing::error!(%request, %hold, nano_usd, %error, "a capture was refused and is given up");
}
