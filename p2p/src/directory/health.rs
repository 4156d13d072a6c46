//! How a node does with one model, as this gateway saw it.
//!
//! What a node says of itself is in [`NodeStats`](super::NodeStats), and is no more than its word. Here is what was
//! measured: it cannot be told better than it is, it is of one model because a node may be quick with one and broken with
//! another, and it outlives an advert and a session, so that coming back does not wash it away.

use std::sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use super::arena::Reused;
use super::breaker::{Breaker, Circuit};
use super::measure::Measure;
use crate::clock;

/// The whole, where shares are told in thousandths.
const WHOLE: u16 = 1000;
/// One part in so many of each new share, and the rest of what is known.
const SHARE_WEIGHT: u16 = 10;

/// The record of one node with one model.
///
/// In 56 bytes: with the count of its holders it lies in one line of the processor's cache, and is read of every node for
/// every request.
#[derive(Debug)]
pub struct Health {
    breaker: Breaker,
    first_token_ms: Measure,
    /// Tokens of one answer per 1000 s.
    speed_milli: Measure,
    served: AtomicU32,
    /// Requests of this gateway that are there for this model.
    visits: AtomicU32,
    failed: AtomicU32,
    /// The share of requests that were served of late, in thousandths.
    uptime: AtomicU16,
    /// The share of a prompt that was expected in its cache and was, in thousandths.
    cache_share: AtomicU16,
}

const _: () = assert!(size_of::<Health>() == 56, "what is read together must lie together");

impl Default for Health {
    fn default() -> Self {
        Self {
            breaker: Breaker::default(),
            first_token_ms: Measure::default(),
            speed_milli: Measure::default(),
            served: AtomicU32::new(0),
            visits: AtomicU32::new(0),
            failed: AtomicU32::new(0),
            uptime: AtomicU16::new(WHOLE),
            cache_share: AtomicU16::new(WHOLE),
        }
    }
}

impl Reused for Health {
    fn renew(&self) {
        let Self { breaker, first_token_ms, speed_milli, served, visits, failed, uptime, cache_share } = self;
        breaker.renew();
        first_token_ms.renew();
        speed_milli.renew();
        [served, visits, failed].into_iter().for_each(|number| number.store(0, Relaxed));
        [uptime, cache_share].into_iter().for_each(|share| share.store(WHOLE, Relaxed));
    }
}

impl Health {
    /// Its answer began so long after it was asked: others may go there too, where one was trying it.
    pub fn began(&self, first_token: Duration) {
        let now_ms = clock::now_ms();
        self.breaker.began(now_ms);
        self.first_token_ms.record(millis(first_token), now_ms);
    }

    /// Its answer had not begun so long after it was asked, when nobody waited for it any more. How long it would have taken
    /// is not known, only that it is more; so this counts where less was measured, or nothing.
    pub fn had_not_begun(&self, after: Duration) {
        self.first_token_ms.record_least(millis(after), clock::now_ms());
    }

    /// It gave a whole answer. Earlier failures are forgiven; to begin well is not enough for that.
    pub fn served(&self) {
        self.breaker.served();
        saturating_increment(&self.served);
        learn_share(&self.uptime, WHOLE);
    }

    /// It generated tokens at this speed, in tokens per 1000 s.
    pub fn measured_speed(&self, tokens_per_second_milli: u64) {
        self.speed_milli.record(u32::try_from(tokens_per_second_milli).unwrap_or(u32::MAX), clock::now_ms());
    }

    /// It failed a request by its own fault. A node without room and a caller's mistake are none.
    pub fn failed(&self) {
        if self.breaker.failed(clock::now_ms()) {
            saturating_increment(&self.failed);
            learn_share(&self.uptime, 0);
        }
    }

    /// Of so many tokens that it was expected to have cached it had so many.
    pub fn found_cached(&self, expected: u64, found: u64) {
        if expected > 0 {
            let share = u128::from(found.min(expected)) * u128::from(WHOLE) / u128::from(expected);
            learn_share(&self.cache_share, u16::try_from(share).unwrap_or(WHOLE));
        }
    }

    /// Whether requests may go there, at this time of the clock of [`Directory::now_ms`](super::Directory::now_ms).
    #[must_use]
    #[inline]
    pub fn circuit(&self, now_ms: u64) -> Circuit {
        self.breaker.circuit(now_ms)
    }

    /// Whether a request may go there now.
    #[must_use]
    #[inline]
    pub fn admits(&self, now_ms: u64) -> bool {
        matches!(self.circuit(now_ms), Circuit::Closed | Circuit::HalfOpen)
    }

    /// Failures since the last whole answer.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.breaker.failures()
    }

    /// Milliseconds to the first token, as measured, and from how many answers. None: not measured lately.
    #[must_use]
    #[inline]
    pub fn first_token_ms(&self, now_ms: u64) -> Option<(u32, u32)> {
        self.first_token_ms.reading(now_ms)
    }

    /// The same, now, and of answers that did begin alone: who was not waited for may take any time.
    #[must_use]
    pub fn usual_first_token(&self) -> Option<(Duration, u32)> {
        let now_ms = clock::now_ms();
        let (millis, samples) = (self.first_token_ms.value(now_ms)?, self.first_token_ms.exact_samples(now_ms));
        (samples > 0).then(|| (Duration::from_millis(millis.into()), samples))
    }

    /// Generated tokens of one answer per 1000 s, as measured, and from how many answers. None: not measured lately.
    #[must_use]
    #[inline]
    pub fn speed_milli(&self, now_ms: u64) -> Option<(u32, u32)> {
        self.speed_milli.reading(now_ms)
    }

    /// Whole answers that it gave.
    #[must_use]
    #[inline]
    pub fn answers_served(&self) -> u32 {
        self.served.load(Relaxed)
    }

    /// Requests that it failed; those of one incident count once.
    #[must_use]
    pub fn incidents(&self) -> u32 {
        self.failed.load(Relaxed)
    }

    /// The share of requests that it served of late, in thousandths. None: it was never asked.
    #[must_use]
    pub fn uptime_milli(&self) -> Option<u32> {
        (self.answers_served() + self.incidents() > 0).then(|| self.uptime.load(Relaxed).into())
    }

    /// How much of what is expected in its cache is there, in thousandths: 1000 until it has shown otherwise.
    #[must_use]
    #[inline]
    pub fn cache_share_milli(&self) -> u32 {
        self.cache_share.load(Relaxed).into()
    }

    /// Requests of this gateway that are there for this model.
    #[must_use]
    #[inline]
    pub fn visits(&self) -> u32 {
        self.visits.load(Relaxed)
    }

    /// Whether there is anything in it to be remembered.
    pub(super) fn is_worth_keeping(&self) -> bool {
        self.answers_served() > 0 || self.incidents() > 0
    }

    pub(super) fn enter(&self, now_ms: u64) -> Option<u16> {
        let number = self.breaker.enter(now_ms)?;
        self.visits.fetch_add(1, Relaxed);
        Some(number)
    }

    pub(super) fn leave(&self, number: u16) {
        self.breaker.tried(number);
        self.visits.fetch_sub(1, Relaxed);
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

fn saturating_increment(count: &AtomicU32) {
    let _ = count.fetch_update(Relaxed, Relaxed, |count| count.checked_add(1));
}

fn learn_share(share: &AtomicU16, sample: u16) {
    let known = share.load(Relaxed);
    // Rounded towards the sample, so that it is reached.
    let learnt = if sample >= known {
        known + (sample - known).div_ceil(SHARE_WEIGHT)
    } else {
        known - (known - sample).div_ceil(SHARE_WEIGHT)
    };
    share.store(learnt, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_was_not_waited_for_is_known_to_take_at_least_so_long() {
        let (health, ms) = (Health::default(), Duration::from_millis);
        let known = || health.first_token_ms(clock::now_ms());
        health.had_not_begun(ms(400));
        assert_eq!(known(), Some((400, 1)));
        health.had_not_begun(ms(100));
        assert_eq!(known(), Some((400, 1)), "that it takes longer than less was known");
        health.had_not_begun(ms(900));
        assert_eq!(known(), Some((500, 2)));
        assert_eq!((health.failures(), health.admits(clock::now_ms())), (0, true));
        assert_eq!(health.usual_first_token(), None, "how long it does take is not known");
        health.began(ms(1000));
        assert_eq!((known(), health.usual_first_token()), (Some((600, 3)), Some((ms(600), 1))));
    }

    #[tokio::test(start_paused = true)]
    async fn to_begin_well_forgives_nothing() {
        let health = Health::default();
        health.failed();
        health.began(Duration::from_millis(20));
        assert_eq!(health.failures(), 1);
        assert_eq!(health.first_token_ms(clock::now_ms()), Some((20, 1)));
        health.served();
        assert_eq!((health.failures(), health.answers_served(), health.incidents()), (0, 1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn uptime_follows_what_was_served() {
        let health = Health::default();
        assert_eq!(health.uptime_milli(), None);
        for _ in 0..100 {
            health.failed();
            tokio::time::advance(Duration::from_secs(20)).await;
        }
        assert_eq!(health.uptime_milli(), Some(0));
        (0..100).for_each(|_| health.served());
        assert_eq!(health.uptime_milli(), Some(1000));
    }

    #[test]
    fn a_cache_that_is_none_is_found_out() {
        let health = Health::default();
        health.found_cached(0, 0);
        assert_eq!(health.cache_share_milli(), 1000, "nothing expected is nothing learnt");
        (0..100).for_each(|_| health.found_cached(800, 0));
        assert_eq!(health.cache_share_milli(), 0);
        (0..100).for_each(|_| health.found_cached(800, 400));
        assert_eq!(health.cache_share_milli(), 500);
    }
}
