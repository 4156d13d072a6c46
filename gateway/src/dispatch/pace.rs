//! How fast a node generates, told apart from how fast its answer is read.
//!
//! A caller who reads slowly holds the whole stream back, and pieces that waited come at once when it reads on. So what
//! counts is only an answer that the gateway was waiting for nearly all of its time.

use std::time::Duration;

use tokio::time::Instant;

/// The part of an answer's time in which it must have been waited for.
const MOST: f64 = 0.8;
/// Shorter answers say nothing about speed.
const FEWEST_TOKENS: u64 = 8;

/// The times of one answer.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the first and the last piece came.
    span: Option<(Instant, Instant)>,
    /// Waited for pieces after the first.
    waited: Duration,
}

impl Pace {
    /// A piece was asked for and came.
    pub(super) fn waited(&mut self, asked: Instant, came: Instant) {
        match &mut self.span {
            None => self.span = Some((came, came)),
            Some((_, last)) => {
                *last = came;
                self.waited += came.saturating_duration_since(asked);
            }
        }
    }

    /// Tokens per 1000 s, where so many came in all. None: the answer was too short, or was read too slowly.
    pub(super) fn tokens_per_second_milli(&self, tokens: u64) -> Option<u64> {
        let (first, last) = self.span?;
        let took = last.saturating_duration_since(first);
        if tokens < FEWEST_TOKENS || took.is_zero() || self.waited.as_secs_f64() < took.as_secs_f64() * MOST {
            return None;
        }
        let milli = u128::from(tokens - 1) * 1_000_000_000 / took.as_micros().max(1);
        u64::try_from(milli).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(reader: Duration, node: Duration) -> Option<u64> {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        for _ in 0..20 {
            let asked = now;
            now += node;
            pace.waited(asked, now);
            now += reader;
        }
        pace.tokens_per_second_milli(20)
    }

    #[test]
    fn a_node_is_as_fast_as_its_pieces_come() {
        let milli = pace(Duration::ZERO, Duration::from_millis(20));
        assert_eq!(milli, Some(50_000));
        assert!(pace(Duration::from_millis(1), Duration::from_millis(20)).is_some());
    }

    #[test]
    fn a_slow_reader_says_nothing_about_the_node() {
        assert_eq!(pace(Duration::from_millis(50), Duration::from_millis(1)), None);
    }

    #[test]
    fn an_answer_of_few_tokens_says_nothing() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.waited(now, now);
        pace.waited(now, now + Duration::from_secs(1));
        assert_eq!(pace.tokens_per_second_milli(2), None);
    }
}
