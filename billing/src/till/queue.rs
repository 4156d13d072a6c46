//! Captures on their way to the ledger.
//!
//! A capture is work that was done, so it is always taken in. What is bounded is the work to come: while more
//! than `bound` captures wait, no new request is admitted; so at most `bound` plus the requests already
//! admitted ever wait here.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::lease::Lease;
use crate::ledger::Capture;

#[derive(Debug)]
pub(super) struct Queued {
    pub(super) lease: Arc<Lease>,
    pub(super) capture: Capture,
}

#[derive(Debug)]
pub(super) struct CaptureQueue {
    bound: u64,
    waiting: Mutex<VecDeque<Queued>>,
    pushed: AtomicU64,
    more: Notify,
    progress: watch::Sender<Progress>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// Captures that need not be waited for any more.
    done: u64,
    /// Nobody takes captures out any more.
    stopped: bool,
}

/// The ledger was closed while captures waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ledger was closed, and {lost} captures are lost")]
pub struct FlushError {
    /// How many were not durable.
    pub lost: u64,
}

/// The queue is full and stays so.
#[derive(Debug, thiserror::Error)]
#[error("{0} captures wait for the ledger")]
pub(super) struct Full(u64);

impl CaptureQueue {
    pub(super) fn new(bound: u64) -> Self {
        Self {
            bound: bound.max(1),
            waiting: Mutex::new(VecDeque::new()),
            pushed: AtomicU64::new(0),
            more: Notify::new(),
            progress: watch::Sender::new(Progress::default()),
        }
    }

    pub(super) fn push(&self, queued: Queued) {
        let mut waiting = self.waiting.lock();
        waiting.push_back(queued);
        self.pushed.fetch_add(1, Ordering::SeqCst);
        drop(waiting);
        self.more.notify_one();
    }

    /// Captures that are not durable.
    pub(super) fn waiting(&self) -> u64 {
        self.behind(*self.progress.borrow())
    }

    fn behind(&self, progress: Progress) -> u64 {
        self.pushed.load(Ordering::SeqCst).saturating_sub(progress.done)
    }

    /// Waits, not longer than `patience`, until there is room for one more request.
    pub(super) async fn room(&self, patience: Duration) -> Result<(), Full> {
        if self.waiting() < self.bound {
            return Ok(());
        }
        let mut progress = self.progress.subscribe();
        let room = progress.wait_for(|progress| self.behind(*progress) < self.bound);
        match tokio::time::timeout(patience, room).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Full(self.waiting())),
        }
    }

    /// Takes out up to `most`; waits while there is nothing.
    pub(super) async fn take(&self, most: usize) -> Vec<Queued> {
        loop {
            let taken: Vec<Queued> = {
                let mut waiting = self.waiting.lock();
                let count = waiting.len().min(most);
                waiting.drain(..count).collect()
            };
            if !taken.is_empty() {
                return taken;
            }
            self.more.notified().await;
        }
    }

    /// So many taken captures are durable, or given up.
    pub(super) fn done(&self, count: usize) {
        self.progress.send_modify(|progress| progress.done += count as u64);
    }

    /// Nothing will be taken out any more.
    pub(super) fn stop(&self) {
        self.progress.send_modify(|progress| progress.stopped = true);
    }

    /// Waits until all that was pushed before this call is durable.
    pub(super) async fn flushed(&self) -> Result<(), FlushError> {
        let target = self.pushed.load(Ordering::SeqCst);
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.done >= target || progress.stopped).await;
        let done = reached.map_or(0, |progress| progress.done);
        if done >= target { Ok(()) } else { Err(FlushError { lost: target - done }) }
    }
}
