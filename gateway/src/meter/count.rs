//! Counting what a node delivers.

use peerway_openapi::chat::ChunkChoice;

use crate::catalog::TokenCounter;

/// Tokens that may pass between two exact counts: counting at every piece would cost more than the pieces.
const SLACK: u64 = 64;

/// Bytes that a token has at most, where bytes are all that can be counted. Few vocabularies hold longer ones.
const LONGEST_TOKEN: u64 = 16;
/// Bytes that a token has mostly.
const USUAL_TOKEN: u64 = 4;

/// What has been delivered of a request's answers.
#[derive(Debug)]
pub struct AnswerCount {
    answers: Vec<OneCount>,
    /// Tokens of each answer that the hold covers; bytes, where only they can be counted.
    limit: u64,
}

/// What has been delivered of one answer.
#[derive(Debug, Clone)]
struct OneCount {
    counter: TokenCounter,
    /// The bound at which the next exact count is due.
    check_at: u64,
    /// It has said why it stopped.
    finished: bool,
}

impl AnswerCount {
    /// Nothing delivered yet; of each of the answers at most `limit` tokens may be.
    #[must_use]
    pub fn new(counter: &TokenCounter, answers: u64, limit: u64) -> Self {
        // Without a tokenizer the limit is one of bytes, and must not cut an answer that keeps to its tokens.
        let limit = if counter.is_exact() { limit } else { limit.saturating_mul(LONGEST_TOKEN) };
        let one = OneCount { counter: counter.clone(), check_at: limit, finished: false };
        Self { answers: vec![one; usize::try_from(answers).unwrap_or(1)], limit }
    }

    /// Counts a piece of one answer: text, thoughts and tool calls alike are generated tokens. False where there is no
    /// such answer, or it has ended: then the piece is none.
    pub fn add(&mut self, piece: &ChunkChoice) -> bool {
        let Some(answer) = self.answer(piece.index).filter(|answer| !answer.finished) else { return false };
        let delta = &piece.delta;
        for text in [&delta.content, &delta.reasoning_content].into_iter().flatten() {
            answer.counter.push(text);
        }
        for function in delta.tool_calls.iter().flatten().filter_map(|call| call.function.as_ref()) {
            for text in [&function.name, &function.arguments].into_iter().flatten() {
                answer.counter.push(text);
            }
        }
        answer.finished = piece.finish_reason.is_some();
        true
    }

    /// Whether more of an answer was delivered than the hold covers. Exact where it says yes; it may say so a few tokens
    /// late, which cost nobody anything, because no more than the hold is ever captured.
    pub fn is_over_limit(&mut self, index: u32) -> bool {
        let limit = self.limit;
        self.answer(index).is_some_and(|answer| answer.is_over(limit))
    }

    /// An answer has ended, whether or not it said so.
    pub fn finish(&mut self, index: u32) {
        if let Some(answer) = self.answer(index) {
            answer.finished = true;
        }
    }

    /// Whether all answers have ended.
    #[must_use]
    pub fn all_finished(&self) -> bool {
        self.answers.iter().all(|answer| answer.finished)
    }

    /// Generated tokens delivered so far, as well as they are known: what is billed where the node does not come to say.
    #[must_use]
    pub fn likely(&mut self) -> u64 {
        let is_exact = self.answers.iter().all(|answer| answer.counter.is_exact());
        if is_exact { self.total() } else { self.total().div_ceil(USUAL_TOKEN) }
    }

    /// Generated tokens delivered so far, of all answers. Where only bytes can be counted, no token has less than one.
    #[must_use]
    pub fn total(&mut self) -> u64 {
        self.answers.iter_mut().map(|answer| answer.counter.total()).sum()
    }

    /// Answers that are counted.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.answers.len() as u64
    }

    fn answer(&mut self, index: u32) -> Option<&mut OneCount> {
        self.answers.get_mut(usize::try_from(index).ok()?)
    }
}

impl OneCount {
    fn is_over(&mut self, limit: u64) -> bool {
        if self.counter.at_most() <= self.check_at {
            return false;
        }
        let total = self.counter.total();
        self.check_at = self.counter.at_most().max(limit) + SLACK.min(limit.saturating_sub(total).max(1));
        total > limit
    }
}

#[cfg(test)]
mod tests {
    use peerway_openapi::chat::{ChatChunk, Delta, FinishReason};

    use super::*;

    /// Bytes are counted, 16 of which a token has at most: of each answer 96 may come.
    fn count(answers: u64) -> AnswerCount {
        AnswerCount::new(&TokenCounter::new(None), answers, 6)
    }

    fn piece(index: u32, text: &str, finish: Option<FinishReason>) -> ChunkChoice {
        let chunk = ChatChunk::piece("i", 0, "m", Delta::text(text), finish);
        ChunkChoice { index, ..chunk.choices.into_iter().next().unwrap() }
    }

    #[test]
    fn a_node_that_goes_on_past_the_limit_is_found() {
        let mut count = count(1);
        let pieces = (1..=30).find(|_| {
            count.add(&piece(0, "0123456789", None));
            count.is_over_limit(0)
        });
        assert_eq!(pieces, Some(10));
        assert_eq!((count.total(), count.likely()), (100, 25));
    }

    #[test]
    fn each_answer_has_its_limit_and_its_end() {
        let mut count = count(2);
        let text = "x".repeat(90);
        assert!(count.add(&piece(0, &text, None)) && count.add(&piece(1, &text, Some(FinishReason::Stop))));
        assert!(!count.is_over_limit(0) && !count.is_over_limit(1));
        assert!(!count.add(&piece(1, "more", None)), "it had ended");
        assert!(!count.add(&piece(2, "more", None)), "nobody asked for it");
        assert!(!count.all_finished());
        count.finish(0);
        assert!(count.all_finished());
        assert_eq!(count.total(), 180);
    }

    #[test]
    fn tool_calls_and_thoughts_count() {
        let mut count = count(1);
        let call = serde_json::json!({"index": 0, "delta": {
            "reasoning_content": "abc", "tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}],
        }});
        count.add(&serde_json::from_value(call).unwrap());
        assert_eq!(count.total(), 6);
    }
}
