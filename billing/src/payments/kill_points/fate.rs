//! When a process dies: after so many steps, wherever that is.
//!
//! A step is each time that the process goes on after it has waited, for its database, its ledger or the bank; and each end
//! of a message to the bank. So a death between any two effects is drawn some day, also between two that a change adds.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;

use tokio::sync::watch;

/// Clones are of the same process.
#[derive(Debug, Clone)]
pub(super) struct Fate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    left: AtomicI64,
    dead: watch::Sender<bool>,
}

impl Fate {
    pub(super) fn after(steps: i64) -> Self {
        Self(Arc::new(Inner { left: AtomicI64::new(steps), dead: watch::Sender::new(false) }))
    }

    pub(super) fn never() -> Self {
        Self::after(i64::MAX)
    }

    pub(super) fn is_dead(&self) -> bool {
        *self.0.dead.borrow()
    }

    fn steps_on(&self) -> bool {
        let lives = self.0.left.fetch_sub(1, Ordering::SeqCst) > 0;
        if !lives {
            self.0.dead.send_replace(true);
        }
        lives
    }

    /// A step that is taken outside of what is polled here. A dead process goes no further.
    pub(super) async fn step(&self) {
        if !self.steps_on() {
            pending::<()>().await;
        }
    }

    /// Does the work unless the process dies first; then all that was in memory is dropped.
    pub(super) async fn live<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut dead = self.0.dead.subscribe();
        tokio::select! {
            biased;
            _ = dead.wait_for(|dead| *dead) => None,
            done = poll_fn(|context| if self.steps_on() { work.as_mut().poll(context) } else { Poll::Pending }) => Some(done),
        }
    }
}
