//! How busy the node is, for its gateways.

use std::time::Duration;

use peerway_p2p::Load;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::engine::{GatedEngine, Occupancy, PaceReport};

/// Keeps a load report up to date until the task is dropped or aborted.
#[must_use]
pub fn report(engine: &GatedEngine) -> (watch::Receiver<Load>, JoinHandle<()>) {
    let (mut occupancy, mut paced) = (engine.gate().watch(), engine.pace().watch());
    let pace = engine.pace().clone();
    let (sender, receiver) = watch::channel(load(*occupancy.borrow(), pace.report()));
    let task = tokio::spawn(async move {
        loop {
            let changed = tokio::select! {
                changed = occupancy.changed() => changed,
                changed = paced.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
            let now = load(*occupancy.borrow_and_update(), pace.report());
            sender.send_if_modified(|load| std::mem::replace(load, now) != now);
        }
    });
    (receiver, task)
}

fn load(occupancy: Occupancy, pace: PaceReport) -> Load {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1);
    Load {
        running: count(occupancy.running),
        waiting: count(occupancy.waiting),
        free_slots: count(occupancy.free),
        ttft_ms: pace.time_to_first_token.map_or(0, millis),
        tokens_per_second_milli: pace.tokens_per_second.map_or(0, thousandths),
    }
}

/// A speed is positive and far below the bound; casting a float saturates.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn thousandths(speed: f64) -> u64 {
    (speed * 1000.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_zero() {
        let occupancy = Occupancy { running: 1, waiting: 2, free: 3 };
        let unknown = load(occupancy, PaceReport::default());
        assert_eq!((unknown.running, unknown.waiting, unknown.free_slots), (1, 2, 3));
        assert_eq!((unknown.ttft_ms, unknown.tokens_per_second_milli), (0, 0));
        let known =
            PaceReport { time_to_first_token: Some(Duration::from_micros(300)), tokens_per_second: Some(58.1234) };
        let known = load(occupancy, known);
        assert_eq!((known.ttft_ms, known.tokens_per_second_milli), (1, 58_123));
    }
}
