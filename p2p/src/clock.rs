//! The two clocks of this crate.
//!
//! Durations are measured on the monotonic one, which tests can pause; only what is signed for others carries wall-clock
//! time, because their monotonic clocks are not ours.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Milliseconds since this process first asked. Never goes back.
pub(crate) fn now_ms() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let now = Instant::now();
    let elapsed = now.saturating_duration_since(*START.get_or_init(|| now));
    // One more than elapsed, so that 0 can mean "never" in the fields that hold such times.
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

/// Milliseconds since 1970, by the system's clock.
pub(crate) fn unix_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
