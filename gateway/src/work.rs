//! Work that goes on without its caller: answers that are to be kept, responses in the background.
//!
//! A connection's work ends with the connection, which the server waits for when the gateway stops. This has none, so it
//! is counted here: a gateway that stops gives it the same time, and then drops it, at which it settles what it owes.

use std::time::Duration;

use peerway_openapi::{ApiError, ErrorKind};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

/// Tasks without a caller.
#[derive(Debug)]
pub struct Work {
    most: usize,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Work {
    /// At most so many tasks at a time.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// Whether there is room for one more: to be asked before anything is done for it.
    ///
    /// # Errors
    /// `Overloaded`.
    pub fn room(&self) -> Result<(), ApiError> {
        if self.tasks.len() < self.most {
            return Ok(());
        }
        let message = "This gateway does too much already that nobody waits for. Try again.";
        Err(ApiError::new(ErrorKind::Overloaded, message))
    }

    /// Begins a task. It is dropped where it does not end in time when the gateway stops.
    pub fn begin(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = task => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Waits for all tasks, not longer than `limit`, and drops the others.
    pub async fn end(&self, limit: Duration) {
        self.tasks.close();
        if tokio::time::timeout(limit, self.tasks.wait()).await.is_err() {
            warn!(tasks = self.tasks.len(), "work without a caller still runs after the limit and is cut");
            self.stop.cancel();
            self.tasks.wait().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_dropped() {
        let (work, guard) = (Work::new(1), Arc::new(()));
        assert!(work.room().is_ok());
        let held = Arc::clone(&guard);
        work.begin(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        assert!(work.room().is_err());
        work.begin(async {});
        work.end(Duration::from_secs(30)).await;
        assert_eq!(Arc::strong_count(&guard), 1);
    }
}
