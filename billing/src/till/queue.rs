//! Captures on their way: made, durable in the journal, in the ledger.
//!
//! A capture is work that was done, so it is always taken in. What is bounded is the work to come: while too many captures
//! wait for the journal or for the ledger, no new request is admitted; so at most the bounds plus the requests already
//! admitted ever wait here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::inbox::{Inbox, Settled};
use super::journal::Number;
use super::lease::Lease;
use crate::budget::Reserved;
use crate::ledger::Capture;

#[derive(Debug)]
pub(super) struct Queued {
    pub(super) lease: Arc<Lease>,
    pub(super) capture: Capture,
    /// What it has to pay of these; let go of once it is in the ledger.
    pub(super) budgets: Vec<Reserved>,
}

/// A capture that outlives a crash.
#[derive(Debug)]
pub(super) struct Durable {
    pub(super) lease: Arc<Lease>,
    pub(super) capture: Capture,
    /// As [`Queued::budgets`].
    pub(super) budgets: Vec<Reserved>,
    /// The journal's file that it is in.
    file: Number,
}

#[derive(Debug)]
pub(super) struct CaptureQueue {
    /// Most that may wait for the journal.
    undurable: u64,
    /// Most that may wait for the ledger, those that wait for the journal among them.
    backlog: u64,
    pub(super) inbox: Inbox,
    waiting: Mutex<VecDeque<Durable>>,
    pushed: AtomicU64,
    more: Notify,
    progress: watch::Sender<Progress>,
}

#[derive(Debug, Clone, Default)]
struct Progress {
    /// Captures that outlive a crash.
    durable: u64,
    /// Captures that need not be waited for any more.
    done: u64,
    /// Why the journal cannot be written at the moment.
    failing: Option<Arc<str>>,
    /// Nobody takes captures out any more.
    stopped: bool,
}

/// The ledger was closed while captures waited, or another process took over. They are in the journal, and charged at the
/// next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ledger takes no more from this till, and {left} captures wait in its journal for the next start")]
pub struct FlushError {
    /// How many are not in the ledger.
    pub left: u64,
}

/// Why no request may be admitted.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoRoom {
    #[error("{0} captures wait for the ledger")]
    Full(u64),
    #[error("{0}")]
    Journal(Arc<str>),
}

impl CaptureQueue {
    pub(super) fn new(undurable: u64, backlog: u64) -> Self {
        Self {
            undurable: undurable.max(1),
            backlog: backlog.max(1),
            inbox: Inbox::default(),
            waiting: Mutex::new(VecDeque::new()),
            pushed: AtomicU64::new(0),
            more: Notify::new(),
            progress: watch::Sender::new(Progress::default()),
        }
    }

    pub(super) fn push(&self, queued: Queued) {
        self.pushed.fetch_add(1, Ordering::SeqCst);
        self.inbox.push(queued);
    }

    /// Captures that are not in the ledger.
    pub(super) fn waiting(&self) -> u64 {
        self.behind(self.progress.borrow().done)
    }

    /// Captures that a crash would lose.
    pub(super) fn undurable(&self) -> u64 {
        self.behind(self.progress.borrow().durable)
    }

    fn behind(&self, count: u64) -> u64 {
        self.pushed.load(Ordering::SeqCst).saturating_sub(count)
    }

    fn has_room(&self, progress: &Progress) -> bool {
        self.behind(progress.durable) < self.undurable && self.behind(progress.done) < self.backlog
    }

    /// Waits, not longer than `patience`, until there is room for one more request. Answers at once while the journal cannot
    /// be written.
    pub(super) async fn room(&self, patience: Duration) -> Result<(), NoRoom> {
        let known = |progress: &Progress| progress.failing.is_some() || self.has_room(progress);
        let now = {
            let progress = self.progress.borrow();
            known(&progress).then(|| progress.failing.clone())
        };
        let failing = match now {
            Some(failing) => failing,
            None => {
                let mut progress = self.progress.subscribe();
                match tokio::time::timeout(patience, progress.wait_for(known)).await {
                    Ok(Ok(progress)) => progress.failing.clone(),
                    Ok(Err(_)) | Err(_) => return Err(NoRoom::Full(self.waiting())),
                }
            }
        };
        failing.map_or(Ok(()), |reason| Err(NoRoom::Journal(reason)))
    }

    /// These captures are in the journal now.
    pub(super) fn durable(&self, captures: impl Iterator<Item = Queued>, file: Number) {
        let mut waiting = self.waiting.lock();
        let before = waiting.len();
        waiting.extend(captures.map(|Queued { lease, capture, budgets }| Durable { lease, capture, budgets, file }));
        let count = waiting.len() - before;
        drop(waiting);
        self.progress.send_modify(|progress| progress.durable += count as u64);
        self.more.notify_one();
    }

    /// Nobody is admitted until the journal works again.
    pub(super) fn journal_fails(&self, error: &std::io::Error) {
        self.progress.send_modify(|progress| progress.failing = Some(error.to_string().into()));
    }

    pub(super) fn journal_works(&self) {
        self.progress.send_if_modified(|progress| progress.failing.take().is_some());
    }

    /// Takes out up to `most`; waits while there is nothing.
    pub(super) async fn take(&self, most: usize) -> Vec<Durable> {
        loop {
            let taken: Vec<Durable> = {
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

    /// The ledger has answered for these captures, and refused those of `refused`, by their place.
    pub(super) fn done(&self, captures: &[Durable], refused: &[usize]) {
        let mut files: BTreeMap<Number, Settled> = BTreeMap::new();
        for (place, capture) in captures.iter().enumerate() {
            let file = files.entry(capture.file).or_default();
            file.captures += 1;
            file.refused |= refused.contains(&place);
        }
        self.inbox.settled(files);
        self.progress.send_modify(|progress| progress.done += captures.len() as u64);
    }

    /// Nothing will be taken out any more.
    pub(super) fn stop(&self) {
        self.progress.send_modify(|progress| progress.stopped = true);
    }

    /// Waits until all that was pushed before this call is in the journal.
    pub(super) async fn all_durable(&self) {
        let target = self.pushed.load(Ordering::SeqCst);
        let mut progress = self.progress.subscribe();
        // The sender lives as long as this.
        drop(progress.wait_for(|progress| progress.durable >= target).await);
    }

    /// Waits until all that was pushed before this call is in the ledger.
    pub(super) async fn flushed(&self) -> Result<(), FlushError> {
        let target = self.pushed.load(Ordering::SeqCst);
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.done >= target || progress.stopped).await;
        let done = reached.map_or(0, |progress| progress.done);
        if done >= target { Ok(()) } else { Err(FlushError { left: target - done }) }
    }
}
