//! A bucket that refills all the time: how much may be taken in a minute, and how much of that is left.
//!
//! What is missing is kept, not what is there, and in units of a 60 000 000 000th: one nanosecond then gives back exactly
//! `limit` units, and no rounding adds up to a request that was never allowed or always refused. Fixed windows were
//! rejected, because two of them let twice the limit through around their border; floats, because they drift.

use std::time::Duration;

/// Nanoseconds in a minute, and so units in one of what is counted.
const UNIT: u128 = 60_000_000_000;

/// What is missing of a bucket that holds one minute's limit. A new one is full.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket {
    missing: u128,
    /// Nanoseconds of the clock at which that was so.
    at: u64,
}

/// A bucket as a caller is told about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    /// What a minute allows.
    pub(super) limit: u64,
    /// What may be taken now.
    pub(super) remaining: u64,
    /// Until it is full again.
    pub(super) reset: Duration,
}

/// Why nothing was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// There will be enough after this time.
    Wait(Duration),
    /// A full bucket does not hold as much.
    Never,
}

impl Bucket {
    /// Takes `count`, or nothing at all.
    pub(super) fn take(&mut self, count: u64, limit: u64, now: u64) -> Result<(), Refused> {
        self.refill(limit, now);
        if count > limit {
            return Err(Refused::Never);
        }
        let missing = self.missing.saturating_add(units(count));
        match missing.checked_sub(units(limit)) {
            None | Some(0) => {
                self.missing = missing;
                Ok(())
            }
            Some(lacking) => Err(Refused::Wait(time_for(lacking, limit))),
        }
    }

    /// Takes `count` even where that is more than there is: it was used already.
    pub(super) fn force(&mut self, count: u64, limit: u64, now: u64) {
        self.refill(limit, now);
        self.missing = self.missing.saturating_add(units(count));
    }

    /// Gives `count` back.
    pub(super) fn give_back(&mut self, count: u64, limit: u64, now: u64) {
        self.refill(limit, now);
        self.missing = self.missing.saturating_sub(units(count));
    }

    pub(super) fn level(&mut self, limit: u64, now: u64) -> Level {
        self.refill(limit, now);
        let left = units(limit).saturating_sub(self.missing) / UNIT;
        Level { limit, remaining: u64::try_from(left).unwrap_or(limit), reset: time_for(self.missing, limit) }
    }

    pub(super) fn is_full(&mut self, limit: u64, now: u64) -> bool {
        self.refill(limit, now);
        self.missing == 0
    }

    fn refill(&mut self, limit: u64, now: u64) {
        let passed = now.saturating_sub(self.at);
        self.missing = self.missing.saturating_sub(u128::from(passed) * u128::from(limit));
        self.at = self.at.max(now);
    }
}

fn units(count: u64) -> u128 {
    u128::from(count) * UNIT
}

/// How long so many units take to come back, rounded up: whoever comes a nanosecond early is refused again.
fn time_for(units: u128, limit: u64) -> Duration {
    let nanos = units.div_ceil(u128::from(limit.max(1)));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_minute_gives_exactly_its_limit() {
        // Seven a minute: a refill every 8.571428… s, which no float and no nanosecond hits.
        let mut bucket = Bucket::default();
        (0..7).for_each(|_| assert_eq!(bucket.take(1, 7, 0), Ok(())));
        let wait = Duration::from_nanos(8_571_428_572);
        assert_eq!(bucket.take(1, 7, 0), Err(Refused::Wait(wait)));
        assert_eq!(bucket.take(1, 7, 8_571_428_571), Err(Refused::Wait(Duration::from_nanos(1))));
        assert_eq!(bucket.take(1, 7, 8_571_428_572), Ok(()));
        // Looked at every nanosecond or once, an hour lets through 7 × 60, plus the full bucket of its beginning.
        let mut taken = 8;
        let mut now = 8_571_428_572;
        while now < 3600 * SECOND {
            now += 333_333_333;
            taken += u64::from(bucket.take(1, 7, now.min(3600 * SECOND)).is_ok());
        }
        assert_eq!(taken, 7 + 7 * 60);
    }

    #[test]
    fn what_is_refused_takes_nothing() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(60, 100, 0), Ok(()));
        assert_eq!(bucket.take(41, 100, 0), Err(Refused::Wait(Duration::from_millis(600))));
        assert_eq!(bucket.take(40, 100, 0), Ok(()));
        assert_eq!(bucket.take(101, 100, 600 * SECOND), Err(Refused::Never));
        let full = Level { limit: 100, remaining: 100, reset: Duration::ZERO };
        assert_eq!(bucket.level(100, 600 * SECOND), full);
    }

    #[test]
    fn a_level_says_what_is_left_and_when_all_is_back() {
        let mut bucket = Bucket::default();
        bucket.take(90, 90, 0).unwrap();
        // 1.5 a second.
        let level = |bucket: &mut Bucket, now| (bucket.level(90, now).remaining, bucket.level(90, now).reset);
        assert_eq!(level(&mut bucket, SECOND), (1, Duration::from_secs(59)));
        assert_eq!(level(&mut bucket, 2 * SECOND), (3, Duration::from_secs(58)));
        bucket.give_back(80, 90, 2 * SECOND);
        assert_eq!(level(&mut bucket, 2 * SECOND).0, 83);
        bucket.force(100, 90, 2 * SECOND);
        assert_eq!(level(&mut bucket, 2 * SECOND).0, 0);
        assert!(!bucket.is_full(90, 60 * SECOND) && bucket.is_full(90, 120 * SECOND));
    }

    #[test]
    fn a_clock_that_steps_back_and_the_largest_numbers_do_no_harm() {
        let mut bucket = Bucket::default();
        bucket.take(u64::MAX, u64::MAX, u64::MAX).unwrap();
        bucket.force(u64::MAX, u64::MAX, 0);
        bucket.level(1, u64::MAX);
        assert!(bucket.take(1, 1, 5).is_err());
    }
}
