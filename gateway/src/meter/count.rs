//! Counting what a node delivers.

use peerway_openapi::chat::{ChatChunk, ChunkChoice};

use crate::catalog::TokenCounter;

/// Tokens that may pass between two exact counts: counting at every piece would cost more than the pieces.
const SLACK: u64 = 64;

/// What has been delivered of one answer.
#[derive(Debug)]
pub struct AnswerCount {
    counter: TokenCounter,
    /// Generated tokens that the hold covers.
    limit: u64,
    /// The bound at which the next exact count is due.
    check_at: u64,
}

impl AnswerCount {
    /// Nothing delivered yet; at most `limit` tokens may be.
    #[must_use]
    pub fn new(counter: TokenCounter, limit: u64) -> Self {
        Self { counter, limit, check_at: limit }
    }

    /// Counts a piece: text, thoughts and tool calls alike are generated tokens.
    pub fn add(&mut self, chunk: &ChatChunk) {
        chunk.choices.iter().for_each(|choice| self.add_choice(choice));
    }

    fn add_choice(&mut self, choice: &ChunkChoice) {
        let delta = &choice.delta;
        for text in [&delta.content, &delta.reasoning_content].into_iter().flatten() {
            self.counter.push(text);
        }
        for function in delta.tool_calls.iter().flatten().filter_map(|call| call.function.as_ref()) {
            for text in [&function.name, &function.arguments].into_iter().flatten() {
                self.counter.push(text);
            }
        }
    }

    /// Whether more was delivered than the hold covers. Exact where it says yes; it may say so a few tokens late, which
    /// cost nobody anything, because no more than the hold is ever captured.
    pub fn is_over_limit(&mut self) -> bool {
        if self.counter.at_most() <= self.check_at {
            return false;
        }
        let total = self.counter.total();
        self.check_at = self.counter.at_most().max(self.limit) + SLACK.min(self.limit.saturating_sub(total).max(1));
        total > self.limit
    }

    /// Generated tokens delivered so far.
    #[must_use]
    pub fn total(&mut self) -> u64 {
        self.counter.total()
    }
}

#[cfg(test)]
mod tests {
    use peerway_openapi::chat::Delta;

    use super::*;

    #[test]
    fn a_node_that_goes_on_past_the_limit_is_found() {
        let mut count = AnswerCount::new(TokenCounter::new(None), 100);
        let piece = ChatChunk::piece("i", 0, "m", Delta::text("0123456789"), None);
        let pieces = (1..=30).find(|_| {
            count.add(&piece);
            count.is_over_limit()
        });
        assert_eq!(pieces, Some(11));
        assert_eq!(count.total(), 110);
    }

    #[test]
    fn tool_calls_and_thoughts_count() {
        let mut count = AnswerCount::new(TokenCounter::new(None), 100);
        let call = serde_json::json!({
            "id": "i", "created": 0, "model": "m", "choices": [{"index": 0, "delta": {
                "reasoning_content": "abc", "tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}],
            }}],
        });
        count.add(&serde_json::from_value(call).unwrap());
        assert_eq!(count.total(), 6);
    }
}
