//! An answer as it grows, with any number of readers, each of whom gets it from its beginning.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, Stream};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use tokio::sync::watch;

/// Bytes of an answer that are kept: 2048 vectors of 4096 numbers, written out. No model writes more at once.
const MOST: usize = 256 << 20;

/// One answer, being written by one and read by many.
#[derive(Debug)]
pub struct Recording {
    tape: Mutex<Tape>,
    progress: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Tape {
    head: Option<(StatusCode, HeaderMap)>,
    frames: Vec<Bytes>,
    bytes: usize,
    over: bool,
    /// It ended before the answer did, or grew too long.
    torn: bool,
    /// The answer says itself that it broke.
    spoilt: bool,
}

/// A whole recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The answer's status.
    pub status: StatusCode,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The answer's body.
    pub body: Vec<Bytes>,
}

impl Recording {
    /// Nothing yet.
    #[must_use]
    pub fn begin() -> Arc<Self> {
        Arc::new(Self { tape: Mutex::default(), progress: watch::Sender::new(0) })
    }

    /// The head of the answer is known.
    pub fn head(&self, status: StatusCode, headers: HeaderMap) {
        self.change(|tape| tape.head = Some((status, headers)));
    }

    /// More of the answer.
    pub fn push(&self, frame: Bytes) {
        self.change(|tape| {
            tape.bytes = tape.bytes.saturating_add(frame.len());
            if tape.bytes <= MOST {
                tape.frames.push(frame);
            } else {
                tape.torn = true;
            }
        });
    }

    /// The answer says itself that it broke: it is read as it is, and not given again.
    pub fn spoil(&self) {
        self.change(|tape| tape.spoilt = true);
    }

    /// Whether it is an answer to be given again.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let tape = self.tape.lock();
        let succeeded = tape.head.as_ref().is_some_and(|(status, _)| status.is_success());
        tape.over && !tape.torn && !tape.spoilt && succeeded
    }

    /// Whether it is a refusal: nothing was done.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let tape = self.tape.lock();
        tape.head.as_ref().is_some_and(|(status, _)| !status.is_success())
    }

    /// The answer is over. `torn`: before its end.
    pub fn end(&self, torn: bool) {
        self.change(|tape| {
            tape.over = true;
            tape.torn |= torn;
        });
    }

    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> usize {
        self.tape.lock().bytes
    }

    /// The whole, once it is over. None where it was torn.
    #[must_use]
    pub fn whole(&self) -> Option<Recorded> {
        let tape = self.tape.lock();
        let (status, headers) = tape.head.clone()?;
        (tape.over && !tape.torn).then(|| Recorded { status, headers, body: tape.frames.clone() })
    }

    /// Waits for the head. None where it was over before it had one.
    pub async fn wait_for_head(&self) -> Option<(StatusCode, HeaderMap)> {
        let mut progress = self.progress.subscribe();
        loop {
            {
                let tape = self.tape.lock();
                if tape.head.is_some() || tape.over {
                    return tape.head.clone();
                }
            }
            progress.changed().await.ok()?;
        }
    }

    /// The frames from the one at `place` on, also those still to come. An answer that was torn ends in an error, at which
    /// a connection is cut.
    pub fn frames(self: &Arc<Self>, place: usize) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let reader = (Arc::clone(self), self.progress.subscribe(), place, false);
        stream::unfold(reader, |(recording, mut progress, place, failed)| async move {
            if failed {
                return None;
            }
            loop {
                {
                    let tape = recording.tape.lock();
                    if let Some(frame) = tape.frames.get(place) {
                        let frame = frame.clone();
                        drop(tape);
                        return Some((Ok(frame), (recording, progress, place + 1, false)));
                    }
                    if tape.over && tape.torn {
                        drop(tape);
                        let error = io::Error::other("the answer broke off");
                        return Some((Err(error), (recording, progress, place, true)));
                    }
                    if tape.over {
                        return None;
                    }
                }
                // The writer is dropped with the last recording only, which this reader keeps.
                progress.changed().await.ok()?;
            }
        })
    }

    fn change(&self, change: impl FnOnce(&mut Tape)) {
        change(&mut self.tape.lock());
        self.progress.send_modify(|changes| *changes += 1);
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn each_reader_gets_all_of_it_whenever_it_comes() {
        let recording = Recording::begin();
        let early = tokio::spawn(recording.frames(0).map(Result::unwrap).collect::<Vec<_>>());
        recording.head(StatusCode::OK, HeaderMap::new());
        recording.push(Bytes::from_static(b"a"));
        let middle = tokio::spawn(recording.frames(1).map(Result::unwrap).collect::<Vec<_>>());
        recording.push(Bytes::from_static(b"b"));
        recording.end(false);
        let late: Vec<_> = recording.frames(0).map(Result::unwrap).collect().await;
        assert_eq!(early.await.unwrap(), ["a", "b"]);
        assert_eq!(middle.await.unwrap(), ["b"]);
        assert_eq!(late, ["a", "b"]);
        assert_eq!(recording.whole().unwrap().body, ["a", "b"]);
    }

    #[tokio::test]
    async fn a_torn_answer_is_no_whole_one() {
        let recording = Recording::begin();
        recording.head(StatusCode::OK, HeaderMap::new());
        recording.push(Bytes::from_static(b"a"));
        recording.end(true);
        assert_eq!(recording.whole(), None);
        let read: Vec<_> = recording.frames(0).map(|frame| frame.is_ok()).collect().await;
        assert_eq!(read, [true, false]);
    }

    #[tokio::test]
    async fn who_waits_for_a_head_that_never_comes_is_told() {
        let recording = Recording::begin();
        let waits = tokio::spawn({
            let recording = Arc::clone(&recording);
            async move { recording.wait_for_head().await }
        });
        recording.end(true);
        assert_eq!(waits.await.unwrap(), None);
    }
}
