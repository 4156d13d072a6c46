//! How fast another gateway is listened to.
//!
//! It may rightly have thousands of nodes and tell of them all at once, so that there is no number of frames that only a
//! hostile one sends. What comes too fast is therefore not an offence: it is read later, and the teller waits.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Frames a second; a frame of more than [`UNIT`] bytes counts for several.
const PER_SECOND: f64 = 2000.0;
/// Frames at once after a pause.
const BURST: f64 = 4000.0;
/// Bytes that count as one frame.
const UNIT: f64 = 4096.0;

/// A budget that refills with time.
#[derive(Debug)]
pub(super) struct Pace {
    left: f64,
    at: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { left: BURST, at: Instant::now() }
    }

    /// Waits until a frame of so many bytes may be dealt with.
    pub(super) async fn take(&mut self, bytes: usize) {
        let now = Instant::now();
        self.left = (self.left + now.duration_since(self.at).as_secs_f64() * PER_SECOND).min(BURST);
        self.at = now;
        #[allow(clippy::cast_precision_loss, reason = "a frame has at most 64 KiB")]
        let cost = (bytes as f64 / UNIT).max(1.0);
        self.left -= cost;
        if self.left < 0.0 {
            sleep(Duration::from_secs_f64(-self.left / PER_SECOND)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_more_of_it_takes_time() {
        let mut pace = Pace::new();
        let started = Instant::now();
        for _ in 0..4000 {
            pace.take(100).await;
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
        for _ in 0..4000 {
            pace.take(100).await;
        }
        assert!(started.elapsed() >= Duration::from_millis(1990), "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn large_frames_count_for_several() {
        let mut pace = Pace::new();
        let started = Instant::now();
        for _ in 0..500 {
            pace.take(64 << 10).await;
        }
        // 32 MB, of which 16 MB at once and the rest at 8 MB a second.
        assert!(started.elapsed() >= Duration::from_millis(1900), "{:?}", started.elapsed());
    }
}
