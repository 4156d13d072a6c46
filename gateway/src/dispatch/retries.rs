//! How much of the market's work may be done twice.
//!
//! When nodes fail by the dozen, trying each request three times multiplies the load on those that are left, and they fail
//! too. So second tries, continuations and hedges of all requests together are bounded: a fifth of the requests that came,
//! and a few a second besides, so that a quiet gateway may retry at all. This is Finagle's retry budget, less its sliding
//! window: a bound on what may be saved up does the same and needs no clock ring.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Thousandths of a try.
type Millis = u64;

const ONE: Millis = 1000;
/// What a request adds.
const EACH_REQUEST: Millis = 200;
/// What a second adds.
const EACH_SECOND: Millis = 5 * ONE;
/// What is saved up at most: ten quiet seconds and what five hundred requests add.
const MOST: Millis = 10 * EACH_SECOND + 500 * EACH_REQUEST;

/// Tries that may still be made beyond the first of each request.
#[derive(Debug)]
pub struct RetryBudget {
    saved: Mutex<Saved>,
}

#[derive(Debug)]
struct Saved {
    left: Millis,
    at: Instant,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { saved: Mutex::new(Saved { left: 10 * EACH_SECOND, at: Instant::now() }) }
    }
}

impl RetryBudget {
    /// A request came.
    pub fn deposit(&self) {
        self.saved.lock().add(EACH_REQUEST);
    }

    /// Takes one further try. False where none is left: then whoever asks must do without.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        let mut saved = self.saved.lock();
        saved.add(0);
        let left = saved.left.checked_sub(ONE);
        saved.left = left.unwrap_or(saved.left);
        drop(saved);
        if left.is_none() {
            metrics::counter!("peerway_retries_refused_total").increment(1);
        }
        left.is_some()
    }
}

impl Saved {
    /// Adds this much and what time has added.
    fn add(&mut self, more: Millis) {
        let now = Instant::now();
        // An hour fills it many times over.
        let passed = now.duration_since(self.at).min(Duration::from_secs(3600));
        let earned = u64::try_from(passed.as_millis()).unwrap_or(0) * EACH_SECOND / 1000;
        // Less than a millisecond is left for the next time.
        if earned > 0 {
            self.at = now;
        }
        self.left = (self.left + earned + more).min(MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(budget: &RetryBudget) -> usize {
        (0..1_000_000).take_while(|_| budget.withdraw()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_fifth_of_the_requests_and_some_a_second_may_be_tried_again() {
        let budget = RetryBudget::default();
        assert_eq!(taken(&budget), 50, "what a gateway begins with");
        (0..100).for_each(|_| budget.deposit());
        assert_eq!(taken(&budget), 20);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(taken(&budget), 10);
        assert!(!budget.withdraw());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_saved_up_is_bounded() {
        let budget = RetryBudget::default();
        (0..100_000).for_each(|_| budget.deposit());
        tokio::time::advance(Duration::from_secs(100_000)).await;
        assert_eq!(taken(&budget), 150);
    }
}
