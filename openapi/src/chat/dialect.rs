//! The answer in the words of the chat API, which are those it is counted in.

use bytes::Bytes;

use super::{ChatChunk, ChatCompletion};
use crate::dialect::{Dialect, Unwritable};
use crate::sse;
use crate::usage::Usage;

/// Tells an answer to who asked `POST /v1/chat/completions`.
#[derive(Debug)]
pub struct ChatDialect {
    head: ChatChunk,
    wants_usage_chunk: bool,
}

impl ChatDialect {
    /// `head` has what all chunks of the answer have in common, and no choices; the usage chunk is made of it, where the
    /// caller wants one.
    #[must_use]
    pub fn new(head: ChatChunk, wants_usage_chunk: bool) -> Self {
        Self { head, wants_usage_chunk }
    }
}

impl Dialect for ChatDialect {
    fn whole(&mut self, answer: ChatCompletion) -> Result<Bytes, Unwritable> {
        serde_json::to_vec(&answer).map(Bytes::from)
    }

    fn serves(&mut self, model: &str) {
        model.clone_into(&mut self.head.model);
    }

    fn piece(&mut self, chunk: ChatChunk) -> Result<Bytes, Unwritable> {
        if self.head.provider != chunk.provider {
            self.head.provider.clone_from(&chunk.provider);
        }
        sse::frame(&chunk)
    }

    fn end(&mut self, usage: Usage) -> Result<Bytes, Unwritable> {
        if !self.wants_usage_chunk {
            return Ok(sse::DONE_FRAME);
        }
        let chunk = ChatChunk { choices: Vec::new(), usage: Some(usage), ..self.head.clone() };
        Ok(Bytes::from([sse::frame(&chunk)?, sse::DONE_FRAME].concat()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Delta, FinishReason};

    fn head() -> ChatChunk {
        ChatChunk { provider: Some("peer".into()), ..ChatChunk::empty("chatcmpl-1", 7, "m") }
    }

    #[test]
    fn pieces_pass_as_they_are() {
        let piece = ChatChunk::piece("chatcmpl-1", 7, "m", Delta::text("Hi"), Some(FinishReason::Stop));
        let told = ChatDialect::new(head(), true).piece(piece).unwrap();
        let expected = concat!(
            r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"m","#,
            r#""choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#,
            "\n\n"
        );
        assert_eq!(told, expected);
    }

    #[test]
    fn the_usage_chunk_comes_only_where_it_is_wanted() {
        let usage = Usage { total_tokens: 3, ..Usage::default() };
        assert_eq!(ChatDialect::new(head(), false).end(usage.clone()).unwrap(), "data: [DONE]\n\n");
        let told = ChatDialect::new(head(), true).end(usage).unwrap();
        let expected = concat!(
            r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"m","choices":[],"#,
            r#""usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":3},"provider":"peer"}"#,
            "\n\ndata: [DONE]\n\n"
        );
        assert_eq!(told, expected);
    }

    #[test]
    fn the_usage_chunk_names_the_model_that_served() {
        let mut dialect = ChatDialect::new(head(), true);
        dialect.serves("fallback");
        let told = dialect.end(Usage::default()).unwrap();
        assert!(told.windows(18).any(|text| text == br#""model":"fallback""#), "{told:?}");
    }

    #[test]
    fn a_whole_answer_is_itself() {
        let json = concat!(
            r#"{"id":"chatcmpl-1","object":"chat.completion","created":7,"model":"m","choices":[{"index":0,"#,
            r#""message":{"role":"assistant","content":"Hi","refusal":null},"finish_reason":"stop","logprobs":null}]}"#
        );
        let answer = serde_json::from_str(json).unwrap();
        assert_eq!(ChatDialect::new(head(), false).whole(answer).unwrap(), json);
    }
}
