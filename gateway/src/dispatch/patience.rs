//! How long a node may be silent in mid-answer.
//!
//! A fixed time is wrong for everybody: a node that made a token every ten milliseconds and has said nothing for five
//! seconds hangs, and its caller need not wait for thirty; a node that takes four seconds a token is well. So a node is
//! measured against its own answer.

use std::time::Duration;

/// No silence is too long before this. Nodes give a sign of life every second while they work on what cannot be shown
/// yet, as the call of a tool; so this is several of them, and a pause in which an engine reads another's long prompt.
const FLOOR: Duration = Duration::from_secs(5);
/// So many times the slowest pause of late is too long.
const TIMES: u32 = 8;
/// Pauses that are seen before they say anything.
const ENOUGH: u32 = 8;
/// Of a slow pause so much is remembered with each further one, in sixteenths.
const REMEMBERED: u32 = 15;

/// The pauses between the pieces of an answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pauses {
    seen: u32,
    slowest: Duration,
}

impl Pauses {
    /// A piece came after this long.
    pub fn add(&mut self, pause: Duration) {
        self.seen = self.seen.saturating_add(1);
        self.slowest = pause.max(self.slowest * REMEMBERED / 16);
    }

    /// How long the next piece may take: never longer than `most`, which is also what is given while little is known.
    #[must_use]
    pub fn patience(&self, most: Duration) -> Duration {
        if self.seen < ENOUGH {
            return most;
        }
        self.slowest.saturating_mul(TIMES).max(FLOOR).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(30);

    fn after(pauses: impl IntoIterator<Item = u64>) -> Duration {
        let mut seen = Pauses::default();
        pauses.into_iter().for_each(|millis| seen.add(Duration::from_millis(millis)));
        seen.patience(MOST)
    }

    #[test]
    fn a_node_is_measured_against_its_own_answer() {
        assert_eq!(after([]), MOST);
        assert_eq!(after([10; 7]), MOST, "too little is known");
        assert_eq!(after([10; 8]), FLOOR);
        assert_eq!(after([1000; 8]), Duration::from_secs(8));
        assert_eq!(after([9000; 8]), MOST, "never longer than the operator says");
    }

    #[test]
    fn one_slow_pause_is_remembered_for_a_while() {
        assert_eq!(after([10, 10, 10, 10, 10, 10, 10, 2000]), Duration::from_secs(16));
        let later = after([2000].into_iter().chain([10; 8]));
        assert!(FLOOR < later && later < Duration::from_secs(16), "{later:?}");
        assert_eq!(after([2000].into_iter().chain([10; 40])), FLOOR);
    }

    #[test]
    fn an_operator_may_be_less_patient_than_the_floor() {
        let mut seen = Pauses::default();
        (0..9).for_each(|_| seen.add(Duration::from_millis(1)));
        assert_eq!(seen.patience(Duration::from_secs(2)), Duration::from_secs(2));
    }
}
