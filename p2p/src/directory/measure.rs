//! A number that is measured again and again, and of which the latest counts most.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::arena::Reused;

/// Seconds after which a measure counts for nothing: who was slow then may be quick now, and must be tried to be known.
const STALE_S: u32 = 5 * 60;
/// One part in so many of each new sample, and the rest of what is known.
const WEIGHT: i64 = 5;

/// A moving mean. Two samples at one instant may lose one of each other: it is a mean, and no count. Its time is told in
/// whole seconds, of which a word of 32 bits holds a century: it is read of every node for every request.
#[derive(Debug, Default)]
pub(super) struct Measure {
    value: AtomicU32,
    /// How many there were: of true ones in the lower half, of those that are too low in the upper.
    samples: AtomicU32,
    last_s: AtomicU32,
}

impl Reused for Measure {
    fn renew(&self) {
        let Self { value, samples, last_s } = self;
        [value, samples, last_s].into_iter().for_each(|number| number.store(0, Relaxed));
    }
}

impl Measure {
    pub(super) fn record(&self, sample: u32, now_ms: u64) {
        let (exact, least) = self.counts(now_ms);
        self.learn(sample, (exact.saturating_add(1), least), now_ms);
    }

    /// A sample of which is only known that it is no less. It counts where less was measured, or nothing.
    pub(super) fn record_least(&self, sample: u32, now_ms: u64) {
        if self.value(now_ms).is_none_or(|known| known < sample) {
            let (exact, least) = self.counts(now_ms);
            self.learn(sample, (exact, least.saturating_add(1)), now_ms);
        }
    }

    fn learn(&self, sample: u32, (exact, least): (u16, u16), now_ms: u64) {
        let value = self.value(now_ms).map_or(sample, |old| {
            let old = i64::from(old);
            u32::try_from(old + (i64::from(sample) - old) / WEIGHT).unwrap_or(sample)
        });
        self.value.store(value, Relaxed);
        self.samples.store(u32::from(least) << 16 | u32::from(exact), Relaxed);
        self.last_s.store(seconds(now_ms), Relaxed);
    }

    /// The mean. None: not measured lately.
    pub(super) fn value(&self, now_ms: u64) -> Option<u32> {
        self.reading(now_ms).map(|(value, _)| value)
    }

    /// The mean, and how many samples are behind it, at least one.
    #[inline]
    pub(super) fn reading(&self, now_ms: u64) -> Option<(u32, u32)> {
        let (exact, least) = self.counts(now_ms);
        let samples = u32::from(exact) + u32::from(least);
        (samples > 0).then(|| (self.value.load(Relaxed), samples))
    }

    /// How many of them were true.
    pub(super) fn exact_samples(&self, now_ms: u64) -> u32 {
        self.counts(now_ms).0.into()
    }

    #[inline]
    fn counts(&self, now_ms: u64) -> (u16, u16) {
        let age = seconds(now_ms).saturating_sub(self.last_s.load(Relaxed));
        let samples = if age > STALE_S { 0 } else { self.samples.load(Relaxed) };
        let half = |samples: u32| u16::try_from(samples & u32::from(u16::MAX)).unwrap_or(u16::MAX);
        (half(samples), half(samples >> 16))
    }
}

#[inline]
fn seconds(now_ms: u64) -> u32 {
    u32::try_from(now_ms / 1000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_counts_most_and_the_old_for_nothing() {
        let measure = Measure::default();
        assert_eq!(measure.value(1), None);
        measure.record(100, 1);
        measure.record(200, 2);
        assert_eq!(measure.reading(2), Some((120, 2)));
        (0..50).for_each(|step| measure.record(0, 3 + step));
        assert!(measure.value(60).unwrap() < 5);
        let stale_ms = u64::from(STALE_S) * 1000;
        assert!(measure.value(stale_ms).is_some());
        assert_eq!(measure.value(stale_ms + 1000), None);
        measure.record(700, 2 * stale_ms);
        assert_eq!(measure.value(2 * stale_ms), Some(700), "what is long past must not hold it down");
    }
}
