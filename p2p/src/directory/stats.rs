//! How busy a node is, by its own word and by what the gateway sees.
//!
//! Read for every choice and written from many tasks, so: atomics, each of which is true by itself. Nothing here needs
//! two of them to be of the same moment.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::arena::Reused;
use crate::clock;
use crate::offer::Load;

/// The numbers of one node, in 48 bytes: with the count of their holders they lie in one line of the processor's cache, and
/// are read of every node for every request.
#[derive(Debug, Default)]
pub struct NodeStats {
    running: AtomicU32,
    waiting: AtomicU32,
    free_slots: AtomicU32,
    ttft_ms: AtomicU32,
    tokens_per_second_milli: AtomicU32,
    last_seen_ms: AtomicU64,
    round_trip_us: AtomicU32,
    draining: AtomicBool,
    departed: AtomicBool,
    in_flight: AtomicU32,
    /// The most requests of this gateway that were there at once since the node's last report.
    peak: AtomicU32,
    /// Requests that others have there, by the last report.
    foreign: AtomicU32,
}

const _: () = assert!(size_of::<NodeStats>() == 48, "what is read together must lie together");

impl Reused for NodeStats {
    fn renew(&self) {
        let Self { running, waiting, free_slots, ttft_ms, tokens_per_second_milli, round_trip_us, .. } = self;
        let Self { draining, departed, last_seen_ms, in_flight, peak, foreign, .. } = self;
        for number in [running, waiting, free_slots, ttft_ms, tokens_per_second_milli, round_trip_us] {
            number.store(0, Relaxed);
        }
        for number in [in_flight, peak, foreign] {
            number.store(0, Relaxed);
        }
        draining.store(false, Relaxed);
        departed.store(false, Relaxed);
        last_seen_ms.store(clock::now_ms(), Relaxed);
    }
}

impl NodeStats {
    /// Takes what a node says of itself.
    ///
    /// A report is of a moment that is over: a request of ours that it counts may have ended since. So all that this
    /// gateway had there since the report before is taken out of it; what is left are others' requests.
    pub fn report(&self, load: &Load) {
        let own = self.peak.swap(self.in_flight(), Relaxed);
        let reported = load.running.saturating_add(load.waiting);
        self.foreign.store(reported.saturating_sub(own), Relaxed);
        self.running.store(load.running, Relaxed);
        self.waiting.store(load.waiting, Relaxed);
        self.free_slots.store(load.free_slots, Relaxed);
        self.ttft_ms.store(load.ttft_ms, Relaxed);
        let speed = u32::try_from(load.tokens_per_second_milli).unwrap_or(u32::MAX);
        self.tokens_per_second_milli.store(speed, Relaxed);
    }

    /// What the node last said of itself.
    #[must_use]
    #[inline]
    pub fn load(&self) -> Load {
        Load {
            running: self.running.load(Relaxed),
            waiting: self.waiting.load(Relaxed),
            free_slots: self.free_slots.load(Relaxed),
            ttft_ms: self.ttft_ms.load(Relaxed),
            tokens_per_second_milli: self.tokens_per_second_milli.load(Relaxed).into(),
        }
    }

    /// Milliseconds to the first token, by the node's word. 0: not known.
    #[must_use]
    #[inline]
    pub fn ttft_ms(&self) -> u32 {
        self.ttft_ms.load(Relaxed)
    }

    /// Requests at the node: those of others, by its last report, and those of this gateway, by its own count.
    #[must_use]
    #[inline]
    pub fn occupied(&self) -> u32 {
        self.foreign.load(Relaxed).saturating_add(self.in_flight())
    }

    /// Requests of this gateway at the node.
    #[must_use]
    #[inline]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// A request goes to the node. Call [`end`](Self::end) once for it.
    pub fn begin(&self) {
        let now = self.in_flight.fetch_add(1, Relaxed).saturating_add(1);
        self.peak.fetch_max(now, Relaxed);
    }

    /// A request at the node is over.
    pub fn end(&self) {
        // One more end than beginnings is a mistake of the caller; it must not look like four thousand million requests.
        let _ = self.in_flight.fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1));
    }

    /// When the node last said anything, on the clock of [`Directory::now_ms`](super::Directory::now_ms).
    #[must_use]
    pub fn last_seen_ms(&self) -> u64 {
        self.last_seen_ms.load(Relaxed)
    }

    /// Microseconds from a probe to its answer, lately. 0: not known.
    #[must_use]
    pub fn round_trip_us(&self) -> u32 {
        self.round_trip_us.load(Relaxed)
    }

    /// Whether the node wants no further requests.
    #[must_use]
    #[inline]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Whether it is there and takes requests. Whether it does well is another matter:
    /// [`Candidate::is_healthy`](super::Candidate::is_healthy).
    #[must_use]
    #[inline]
    pub fn is_open(&self) -> bool {
        !self.departed.load(Relaxed) && !self.is_draining()
    }

    pub(crate) fn seen(&self) {
        self.last_seen_ms.store(clock::now_ms(), Relaxed);
    }

    pub(crate) fn set_round_trip(&self, round_trip: std::time::Duration) {
        self.round_trip_us.store(u32::try_from(round_trip.as_micros()).unwrap_or(u32::MAX), Relaxed);
    }

    pub(super) fn set_draining(&self) {
        self.draining.store(true, Relaxed);
    }

    pub(super) fn set_departed(&self) {
        self.departed.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_a_report_counts_is_not_counted_twice_nor_after_its_end() {
        let stats = NodeStats::default();
        let running = |running| Load { running, ..Load::default() };
        stats.begin();
        stats.report(&running(3));
        assert_eq!(stats.occupied(), 3);
        stats.end();
        assert_eq!(stats.occupied(), 2);
        // Sent before the end and here after it: our request is in it.
        stats.report(&running(3));
        assert_eq!(stats.occupied(), 2);
        stats.report(&running(2));
        assert_eq!(stats.occupied(), 2);
        stats.report(&running(0));
        assert_eq!(stats.occupied(), 0);
    }

    #[test]
    fn more_ends_than_beginnings_do_no_harm() {
        let stats = NodeStats::default();
        (0..5).for_each(|_| stats.begin());
        assert_eq!(stats.occupied(), 5);
        (0..9).for_each(|_| stats.end());
        assert_eq!((stats.in_flight(), stats.occupied()), (0, 0));
    }
}
