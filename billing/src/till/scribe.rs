//! The thread that writes the journal. A thread, since flushing a disk blocks; one, since then nothing has to be locked.
//!
//! It writes what waits with one flush, and what comes meanwhile waits for the next: the slower the disk, the larger the
//! groups. A capture that comes alone is written at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::inbox::{Errands, Settled};
use super::journal::{Journal, Number};
use super::queue::{CaptureQueue, Queued};

/// The first wait after a failure; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The thread. Dropping it writes what waits, once, and ends it.
#[derive(Debug)]
pub(super) struct Scribe {
    queue: Arc<CaptureQueue>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Scribe {
    pub(super) fn start(queue: Arc<CaptureQueue>, journal: Journal) -> std::io::Result<Self> {
        let of_thread = Arc::clone(&queue);
        let thread = thread::Builder::new().name("till-journal".to_owned()).spawn(move || run(&of_thread, journal))?;
        Ok(Self { queue, thread: Some(thread) })
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.queue.inbox.stop();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(
                "the journal's thread did not end cleanly; what is in the journal is replayed at the next start"
            );
        }
    }
}

fn run(queue: &CaptureQueue, mut journal: Journal) {
    loop {
        let Errands { captures, settled, stopping } = queue.inbox.next();
        settle(&mut journal, settled);
        let lost = write(queue, &mut journal, captures);
        if lost > 0 {
            tracing::error!(
                captures = lost,
                "captures are lost: the till was closed while the journal could not be written"
            );
        }
        if stopping {
            break;
        }
    }
    journal.finish();
}

fn settle(journal: &mut Journal, settled: BTreeMap<Number, Settled>) {
    for (number, settled) in settled {
        journal.settled(number, settled.captures, settled.refused);
    }
}

/// Writes all, trying until it works or the till is closed. Answers how many were not written.
fn write(queue: &CaptureQueue, journal: &mut Journal, mut captures: VecDeque<Queued>) -> usize {
    let mut wait = FIRST_WAIT;
    while !captures.is_empty() {
        match journal.append(captures.iter().map(|queued| &queued.capture)) {
            Ok(appended) => {
                queue.journal_works();
                wait = FIRST_WAIT;
                queue.durable(captures.drain(..appended.captures), appended.number);
            }
            Err(error) => {
                tracing::error!(captures = captures.len(), wait_ms = wait.as_millis(), %error, "the journal cannot be written");
                queue.journal_fails(&error);
                if queue.inbox.pause(wait) {
                    return captures.len();
                }
                // Files that may go make room on a full disk.
                settle(journal, queue.inbox.take_settled());
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
    0
}
