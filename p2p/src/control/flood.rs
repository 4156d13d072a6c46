//! How many frames a peer may send.

use tokio::time::Instant;

/// Frames that may come at once after a pause.
const BURST: f64 = 64.0;
/// Frames that may come in each second. A well-behaved node sends about ten at most.
const PER_SECOND: f64 = 32.0;

/// Counts frames against a budget that refills with time.
#[derive(Debug)]
pub(super) struct FrameBudget {
    left: f64,
    at: Instant,
}

impl FrameBudget {
    pub(super) fn new() -> Self {
        Self { left: BURST, at: Instant::now() }
    }

    /// Takes one frame. False where it is one too many.
    pub(super) fn take(&mut self) -> bool {
        let now = Instant::now();
        self.left = (self.left + now.duration_since(self.at).as_secs_f64() * PER_SECOND).min(BURST);
        self.at = now;
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_a_flood_does_not() {
        let mut budget = FrameBudget::new();
        assert_eq!((0..1000).filter(|_| budget.take()).count(), 64);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..1000).filter(|_| budget.take()).count(), 32);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!((0..1000).filter(|_| budget.take()).count(), 64);
    }
}
