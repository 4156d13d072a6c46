//! How fast this node has been lately.
//!
//! Exponentially weighted averages: one slow request must not make a node look slow for long, and a ring of samples would
//! say little more at a higher price. Gateways measure for themselves too; this is what a gateway knows of a node that it
//! has not used yet.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

/// Weight of the newest sample.
const WEIGHT: f64 = 0.2;

/// Averages over the latest requests.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PaceReport {
    /// From the slot to the first piece. None before the first request.
    pub time_to_first_token: Option<Duration>,
    /// Tokens a second of one request, after the first piece. None before the first request.
    pub tokens_per_second: Option<f64>,
}

/// Keeps the averages.
#[derive(Debug, Default)]
pub struct Pace {
    report: Mutex<PaceReport>,
    changed: watch::Sender<()>,
}

impl Pace {
    /// A request got its first piece this long after its slot.
    pub fn first_token_after(&self, elapsed: Duration) {
        let mut report = self.report.lock();
        let average = report.time_to_first_token.map(|average| average.as_secs_f64());
        report.time_to_first_token = Some(Duration::from_secs_f64(blend(average, elapsed.as_secs_f64())));
        drop(report);
        self.changed.send_replace(());
    }

    /// A request got this many tokens in this time. Too few to tell a speed are left out.
    pub fn tokens_in(&self, tokens: u64, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        if tokens < 2 || seconds <= f64::EPSILON {
            return;
        }
        let mut report = self.report.lock();
        // A count of tokens is far below 2^52, where f64 would round it.
        #[allow(clippy::cast_precision_loss)]
        let speed = tokens as f64 / seconds;
        report.tokens_per_second = Some(blend(report.tokens_per_second, speed));
        drop(report);
        self.changed.send_replace(());
    }

    /// The averages as they stand.
    #[must_use]
    pub fn report(&self) -> PaceReport {
        *self.report.lock()
    }

    /// Wakes with every change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

fn blend(average: Option<f64>, sample: f64) -> f64 {
    average.map_or(sample, |average| average + WEIGHT * (sample - average))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_sample_weighs_a_fifth() {
        let pace = Pace::default();
        pace.first_token_after(Duration::from_millis(100));
        pace.first_token_after(Duration::from_millis(200));
        pace.tokens_in(50, Duration::from_secs(1));
        pace.tokens_in(1, Duration::from_secs(9));
        let report = pace.report();
        assert_eq!(report.time_to_first_token, Some(Duration::from_millis(120)));
        assert_eq!(report.tokens_per_second, Some(50.0));
    }
}
