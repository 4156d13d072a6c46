//! How long a node may be silent, before its answer and in it.
//!
//! A fixed time is wrong for everybody: a node that made a token every ten milliseconds and has said nothing for five
//! seconds hangs, and its caller need not wait for thirty; a node that takes four seconds a token is well. So a node is
//! measured against its own answer, and until that has begun against those before it, less strictly: a prompt may be longer
//! than those were, and others may be there before it.

use std::time::Duration;

use peerway_p2p::Candidate;

/// No silence is too long before this. Nodes give a sign of life every second while they work on what cannot be shown
/// yet, as the call of a tool; so this is several of them, and a pause in which an engine reads another's long prompt.
const FLOOR: Duration = Duration::from_secs(5);
/// So many times the slowest pause of late is too long.
const TIMES: u32 = 8;
/// Pauses that are seen before they say anything.
const ENOUGH: u32 = 8;
/// Of a slow pause so much is remembered with each further one, in sixteenths.
const REMEMBERED: u32 = 15;

/// No wait for a first piece is too long before this: a node may have to wake a model up.
const FIRST_FLOOR: Duration = Duration::from_secs(10);
/// First pieces that are seen before they say anything.
const ENOUGH_ANSWERS: u32 = 3;
/// What a token of the prompt may take, whatever shorter prompts took: as long as a large model takes on a slow CPU.
const PROMPT_TOKEN: Duration = Duration::from_millis(100);
/// What each answer may take that a slot gives before this one.
const TURN: Duration = Duration::from_secs(30);

/// What is known of a node's first piece before the node is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prospect {
    /// How long its first pieces took of late, and how many were seen. None: not known.
    usual: Option<(Duration, u32)>,
    /// Requests that are there already.
    ahead: u32,
    /// Requests that it runs at a time.
    slots: u32,
    /// Tokens of the prompt.
    prompt: u64,
}

impl Prospect {
    /// Of a node that does not have the request yet.
    pub(super) fn of(candidate: &Candidate, prompt: u64) -> Self {
        let (usual, ahead) = (candidate.health().usual_first_token(), candidate.stats().occupied());
        Self { usual, ahead, slots: candidate.slots(), prompt }
    }

    /// How long the first piece may take: never longer than `most`, which is also what is given while little is known.
    pub(super) fn patience(self, most: Duration) -> Duration {
        let Some((usual, _)) = self.usual.filter(|(_, seen)| *seen >= ENOUGH_ANSWERS) else { return most };
        let prompt = PROMPT_TOKEN.saturating_mul(u32::try_from(self.prompt).unwrap_or(u32::MAX));
        let queue = TURN.saturating_mul(self.ahead / self.slots.max(1));
        usual.saturating_mul(TIMES).max(FIRST_FLOOR).saturating_add(prompt).saturating_add(queue).min(most)
    }
}

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
    fn a_first_piece_is_measured_against_those_before() {
        let most = Duration::from_secs(120);
        let patience = |usual, ahead, prompt| Prospect { usual, ahead, slots: 2, prompt }.patience(most).as_millis();
        let seen = |millis, times| Some((Duration::from_millis(millis), times));
        assert_eq!(patience(None, 0, 1), 120_000);
        assert_eq!(patience(seen(200, 2), 0, 1), 120_000, "too little is known");
        assert_eq!(patience(seen(200, 3), 0, 0), 10_000);
        assert_eq!(patience(seen(4000, 3), 0, 0), 32_000);
        assert_eq!(patience(seen(200, 3), 0, 50), 15_000, "a prompt is read first");
        assert_eq!(patience(seen(200, 3), 1, 0), 10_000, "there is a free slot");
        assert_eq!(patience(seen(200, 3), 2, 0), 40_000);
        assert_eq!(patience(seen(200, 3), 5, 0), 70_000);
        for endless in [(seen(60_000, 3), 0, 0), (seen(1, 9), u32::MAX, 0), (seen(1, 9), 0, u64::MAX)] {
            assert_eq!(patience(endless.0, endless.1, endless.2), 120_000, "never longer than the operator says");
        }
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
