//! A number that is measured again and again, and of which the latest counts most.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// A measure that is older counts for nothing: who was slow then may be quick now, and must be tried to be known.
const STALE_MS: u64 = 5 * 60_000;
/// One part in so many of each new sample, and the rest of what is known.
const WEIGHT: i64 = 5;

/// A moving mean. Two samples at one instant may lose one of each other: it is a mean, and no count.
#[derive(Debug, Default)]
pub(super) struct Measure {
    value: AtomicU32,
    samples: AtomicU32,
    last_ms: AtomicU64,
}

impl Measure {
    pub(super) fn record(&self, sample: u32, now_ms: u64) {
        let known = self.samples(now_ms);
        let value = match known {
            0 => sample,
            _ => {
                let old = i64::from(self.value.load(Relaxed));
                u32::try_from(old + (i64::from(sample) - old) / WEIGHT).unwrap_or(sample)
            }
        };
        self.value.store(value, Relaxed);
        self.samples.store(known.saturating_add(1), Relaxed);
        self.last_ms.store(now_ms, Relaxed);
    }

    /// The mean. None: not measured lately.
    pub(super) fn value(&self, now_ms: u64) -> Option<u32> {
        (self.samples(now_ms) > 0).then(|| self.value.load(Relaxed))
    }

    /// How many samples are behind it. 0: not measured lately.
    pub(super) fn samples(&self, now_ms: u64) -> u32 {
        if now_ms.saturating_sub(self.last_ms.load(Relaxed)) > STALE_MS { 0 } else { self.samples.load(Relaxed) }
    }
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
        assert_eq!((measure.value(2), measure.samples(2)), (Some(120), 2));
        (0..50).for_each(|step| measure.record(0, 3 + step));
        assert!(measure.value(60).unwrap() < 5);
        assert_eq!(measure.value(60 + STALE_MS), None);
        measure.record(700, 60 + 2 * STALE_MS);
        assert_eq!(measure.value(60 + 2 * STALE_MS), Some(700), "what is long past must not hold it down");
    }
}
