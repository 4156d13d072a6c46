//! Captures that are not durable yet: a waiting room between requests, which must not wait, and the journal's thread.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::journal::Number;
use super::queue::Queued;

/// What the journal's thread has to do.
#[derive(Debug, Default)]
pub(super) struct Errands {
    /// Captures to make durable, in the order in which they were made.
    pub(super) captures: VecDeque<Queued>,
    /// What the ledger has answered, by file.
    pub(super) settled: BTreeMap<Number, Settled>,
    /// Nothing more will come.
    pub(super) stopping: bool,
}

/// What the ledger has answered of one file's captures.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Settled {
    pub(super) captures: u64,
    /// Whether it refused one of them.
    pub(super) refused: bool,
}

impl Errands {
    fn none(&self) -> bool {
        self.captures.is_empty() && self.settled.is_empty() && !self.stopping
    }
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    errands: Mutex<Errands>,
    ring: Condvar,
}

impl Inbox {
    pub(super) fn push(&self, queued: Queued) {
        self.errands.lock().captures.push_back(queued);
        self.ring.notify_one();
    }

    pub(super) fn settled(&self, files: impl IntoIterator<Item = (Number, Settled)>) {
        let mut errands = self.errands.lock();
        for (number, more) in files {
            let settled = errands.settled.entry(number).or_default();
            settled.captures += more.captures;
            settled.refused |= more.refused;
        }
        drop(errands);
        self.ring.notify_one();
    }

    pub(super) fn stop(&self) {
        self.errands.lock().stopping = true;
        self.ring.notify_one();
    }

    /// Blocks until there is something to do, and takes all of it.
    pub(super) fn next(&self) -> Errands {
        let mut errands = self.errands.lock();
        self.ring.wait_while(&mut errands, |errands| errands.none());
        let stopping = errands.stopping;
        Errands { stopping, ..std::mem::replace(&mut errands, Errands { stopping, ..Errands::default() }) }
    }

    /// What the ledger has answered meanwhile.
    pub(super) fn take_settled(&self) -> BTreeMap<Number, Settled> {
        std::mem::take(&mut self.errands.lock().settled)
    }

    /// Blocks for so long, or until [`Self::stop`]. Answers whether it was stopped.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let mut errands = self.errands.lock();
        self.ring.wait_while_for(&mut errands, |errands| !errands.stopping, time);
        errands.stopping
    }
}
