//! Whether a node that failed is asked again.
//!
//! Closed, it is asked. A failure opens it: the node rests, twice as long with each further failure. After the rest it is
//! half open: one request at a time tries the node. When its answer begins the others may go there again; a failure opens
//! it again, and a try that says nothing about the node (it was busy, the caller left) leaves the next one to try. Only a
//! whole answer forgives what was before: a node that begins well and breaks off rests longer each time.

use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU16, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed,
};

use super::arena::Reused;

/// How long a node rests after its first failure, in milliseconds. Doubles with each further one in a row.
const FIRST_REST_MS: u64 = 500;
/// How long a node rests at most, in milliseconds: a node that was restarted is soon back.
const LONGEST_REST_MS: u64 = 10_000;

/// Whether requests may go to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// They may.
    Closed,
    /// It failed, and rests.
    Open,
    /// It has rested: one request at a time may try it.
    HalfOpen,
    /// A request tries it.
    Trying,
}

/// See the module. 16 bytes, because it is read of every node for every request.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Failures since the last whole answer. More than it can count rest no longer.
    failures: AtomicU8,
    opened_ms: AtomicU64,
    /// An answer has begun since the last rest.
    is_answering: AtomicBool,
    /// The request that tries the node, by a number that grows. 0: none.
    trying: AtomicU16,
    tries: AtomicU16,
}

impl Reused for Breaker {
    fn renew(&self) {
        let Self { failures, opened_ms, is_answering, trying, tries } = self;
        failures.store(0, Relaxed);
        opened_ms.store(0, Relaxed);
        is_answering.store(false, Relaxed);
        trying.store(0, Relaxed);
        tries.store(0, Relaxed);
    }
}

impl Breaker {
    #[inline]
    pub(super) fn circuit(&self, now_ms: u64) -> Circuit {
        let failures = self.failures();
        if failures == 0 || self.is_answering.load(Relaxed) {
            Circuit::Closed
        } else if now_ms.saturating_sub(self.opened_ms.load(Relaxed)) < rest_ms(failures) {
            Circuit::Open
        } else if self.trying.load(Acquire) != 0 {
            Circuit::Trying
        } else {
            Circuit::HalfOpen
        }
    }

    #[inline]
    pub(super) fn failures(&self) -> u32 {
        self.failures.load(Relaxed).into()
    }

    /// The node failed. True where that is news: requests that were on their way when it began to rest say nothing
    /// new, and one incident is one failure, however many requests it hit.
    pub(super) fn failed(&self, now_ms: u64) -> bool {
        if self.circuit(now_ms) == Circuit::Open {
            return false;
        }
        self.opened_ms.store(now_ms, Relaxed);
        self.is_answering.store(false, Relaxed);
        let _ = self.failures.fetch_update(Relaxed, Relaxed, |count| count.checked_add(1));
        true
    }

    /// An answer began. One that was under way while the node rests says nothing.
    pub(super) fn began(&self, now_ms: u64) {
        if !matches!(self.circuit(now_ms), Circuit::Open | Circuit::Closed) {
            self.is_answering.store(true, Relaxed);
        }
    }

    /// The node gave a whole answer: earlier failures are forgiven.
    pub(super) fn served(&self) {
        if self.failures() != 0 {
            self.failures.store(0, Relaxed);
        }
    }

    /// Lets a request in. None: none may go there now. `Some(0)`: as any other; otherwise it is the one that tries the
    /// node, and [`Self::tried`] is to be told its number when it is over.
    pub(super) fn enter(&self, now_ms: u64) -> Option<u16> {
        match self.circuit(now_ms) {
            Circuit::Closed => Some(0),
            Circuit::Open | Circuit::Trying => None,
            Circuit::HalfOpen => {
                let number = self.tries.fetch_add(1, Relaxed).wrapping_add(1).max(1);
                self.trying.compare_exchange(0, number, AcqRel, Relaxed).ok().map(|_| number)
            }
        }
    }

    /// The request of this number is over.
    pub(super) fn tried(&self, number: u16) {
        if number != 0 {
            // Another's number there would be a mistake of ours; it is left alone.
            let _ = self.trying.compare_exchange(number, 0, AcqRel, Relaxed);
        }
    }
}

#[inline]
fn rest_ms(failures: u32) -> u64 {
    (FIRST_REST_MS << failures.saturating_sub(1).min(16)).min(LONGEST_REST_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_rests_longer_with_each_failure_and_never_too_long() {
        let (breaker, mut now_ms) = (Breaker::default(), 1000);
        assert_eq!(breaker.circuit(now_ms), Circuit::Closed);
        for rest in [500, 1000, 2000, 4000, 8000, 10_000, 10_000] {
            assert!(breaker.failed(now_ms));
            assert_eq!(breaker.circuit(now_ms + rest - 1), Circuit::Open, "rest of {rest}");
            now_ms += rest;
            assert_eq!(breaker.circuit(now_ms), Circuit::HalfOpen, "rest of {rest}");
        }
        breaker.served();
        assert_eq!(breaker.circuit(now_ms), Circuit::Closed);
        assert!(breaker.failed(now_ms));
        assert_eq!(breaker.circuit(now_ms + 500), Circuit::HalfOpen, "a served answer must forgive what was before");
    }

    #[test]
    fn a_node_that_begins_well_and_breaks_off_rests_longer_each_time() {
        let (breaker, mut now_ms) = (Breaker::default(), 1000);
        for rest in [500, 1000, 2000] {
            assert!(breaker.failed(now_ms));
            breaker.began(now_ms + 1);
            assert_eq!(
                breaker.circuit(now_ms + rest - 1),
                Circuit::Open,
                "an answer from before must not end the rest"
            );
            now_ms += rest;
            let number = breaker.enter(now_ms).unwrap();
            assert_eq!(breaker.enter(now_ms), None);
            breaker.began(now_ms);
            assert_eq!(breaker.enter(now_ms), Some(0), "others wait no longer than until it begins to answer");
            breaker.tried(number);
        }
    }

    #[test]
    fn one_incident_is_one_failure() {
        let breaker = Breaker::default();
        assert!(breaker.failed(1000));
        assert!((0..8).all(|_| !breaker.failed(1200)));
        assert_eq!(breaker.failures(), 1);
    }

    #[test]
    fn one_request_at_a_time_tries_a_node_that_failed() {
        let breaker = Breaker::default();
        breaker.failed(1000);
        assert_eq!(breaker.enter(1400), None, "it rests");
        let first = breaker.enter(1500).unwrap();
        assert_eq!((breaker.enter(1500), breaker.circuit(1500)), (None, Circuit::Trying));
        breaker.tried(first);
        let second = breaker.enter(1600).unwrap();
        assert_ne!(first, second);
        breaker.tried(first);
        assert_eq!(breaker.enter(1600), None, "who is over must not let another in");
        breaker.served();
        assert_eq!(breaker.enter(1600), Some(0));
        breaker.tried(second);
    }
}
