//! The answer in the words of the text completion API.
//!
//! An echo is the gateway's to add: nodes are not asked for it, so that the prompt is neither carried back nor counted
//! as generated.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{Completion, CompletionChunk, TextOffsets, TextPiece};
use crate::chat::{ChatChunk, ChatCompletion};
use crate::dialect::{Dialect, Unwritable};
use crate::sse;
use crate::usage::Usage;

/// Tells an answer to who asked `POST /v1/completions`.
#[derive(Debug)]
pub struct CompletionsDialect {
    /// What all chunks have in common. Its provider is the one seen last.
    head: CompletionChunk,
    wants_usage_chunk: bool,
    echo: Vec<String>,
    answers_each: u32,
    offsets: TextOffsets,
    /// Answers that have begun.
    begun: BTreeSet<u32>,
}

impl CompletionsDialect {
    /// `id` is hexadecimal and becomes `cmpl-…`; `created` is in seconds since 1970. `echo` has the text of each prompt,
    /// and nothing where the caller wants no echo; `n` is the number of answers to each prompt.
    #[must_use]
    pub fn new(
        id: &str,
        created: i64,
        model: impl Into<String>,
        wants_usage_chunk: bool,
        echo: Vec<String>,
        n: u32,
    ) -> Self {
        let head = ChatChunk::empty(format!("cmpl-{id}"), created, model);
        let mut offsets = TextOffsets::default();
        let head = CompletionChunk::of_chat(head, &mut offsets);
        Self { head, wants_usage_chunk, echo, answers_each: n.max(1), offsets, begun: BTreeSet::new() }
    }

    /// The prompt's text where this answer has not begun and its caller wants the echo. Empty otherwise.
    fn begin(&mut self, index: u32) -> String {
        if !self.begun.insert(index) {
            return String::new();
        }
        let prompt = usize::try_from(index / self.answers_each).unwrap_or(usize::MAX);
        let echo = self.echo.get(prompt).cloned().unwrap_or_default();
        self.offsets.add(index, &echo);
        echo
    }

    fn frame(&self, piece: TextPiece) -> Result<Bytes, Unwritable> {
        sse::frame(&CompletionChunk { choices: vec![piece], ..self.head.clone() })
    }
}

impl Dialect for CompletionsDialect {
    fn whole(&mut self, answer: ChatCompletion) -> Result<Bytes, Unwritable> {
        let echoes: Vec<_> = answer.choices.iter().map(|choice| self.begin(choice.index)).collect();
        let mut whole = Completion::of_chat(answer, &mut self.offsets);
        for (choice, echo) in whole.choices.iter_mut().zip(echoes) {
            choice.text.insert_str(0, &echo);
        }
        let CompletionChunk { id, created, model, .. } = self.head.clone();
        serde_json::to_vec(&Completion { id, created, model, ..whole }).map(Bytes::from)
    }

    fn serves(&mut self, model: &str) {
        model.clone_into(&mut self.head.model);
    }

    fn piece(&mut self, chunk: ChatChunk) -> Result<Bytes, Unwritable> {
        if chunk.provider.is_some() {
            self.head.provider.clone_from(&chunk.provider);
        }
        let mut frames = Vec::new();
        for choice in &chunk.choices {
            let text = self.begin(choice.index);
            if !text.is_empty() {
                let echo = TextPiece {
                    index: choice.index,
                    text,
                    finish_reason: None,
                    logprobs: None,
                    stop_reason: None,
                    token_ids: None,
                };
                frames.push(self.frame(echo)?);
            }
        }
        for piece in CompletionChunk::of_chat(chunk, &mut self.offsets).choices {
            // Who speaks and which tools are called is all that a piece without text can have said.
            if !piece.text.is_empty() || piece.finish_reason.is_some() || piece.logprobs.is_some() {
                frames.push(self.frame(piece)?);
            }
        }
        Ok(Bytes::from(frames.concat()))
    }

    fn end(&mut self, usage: Usage) -> Result<Bytes, Unwritable> {
        if !self.wants_usage_chunk {
            return Ok(sse::DONE_FRAME);
        }
        let chunk = CompletionChunk { usage: Some(usage), ..self.head.clone() };
        Ok(Bytes::from([sse::frame(&chunk)?, sse::DONE_FRAME].concat()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::chat::{Assembler, Delta, FinishReason};
    use crate::{ApiError, ErrorKind};

    fn of(index: u32, delta: Delta, finish: Option<FinishReason>) -> ChatChunk {
        let mut chunk = ChatChunk::piece("chatcmpl-1", 1, "node's", delta, finish);
        chunk.choices[0].index = index;
        chunk.provider = Some("peer".into());
        chunk
    }

    fn dialect(echo: &[&str], n: u32) -> CompletionsDialect {
        CompletionsDialect::new("0a", 7, "m", true, echo.iter().map(|text| (*text).to_owned()).collect(), n)
    }

    fn events(bytes: &[u8]) -> Vec<Value> {
        let mut decoder = sse::Decoder::new(1 << 16);
        decoder.push(bytes);
        std::iter::from_fn(|| decoder.next_event().unwrap())
            .filter(|event| event != sse::DONE)
            .map(|event| serde_json::from_slice(&event).unwrap())
            .collect()
    }

    #[test]
    fn a_stream_is_told_to_its_end() {
        let mut dialect = dialect(&[], 1);
        assert_eq!(dialect.open().unwrap(), "");
        assert_eq!(dialect.piece(of(0, Delta::opening(), None)).unwrap(), "");
        let told = dialect.piece(of(0, Delta::text("Hi"), Some(FinishReason::Length))).unwrap();
        let expected = concat!(
            r#"data: {"id":"cmpl-0a","object":"text_completion","created":7,"model":"m","#,
            r#""choices":[{"index":0,"text":"Hi","finish_reason":"length","logprobs":null}],"provider":"peer"}"#,
            "\n\n"
        );
        assert_eq!(told, expected);
        let told = dialect.end(Usage { total_tokens: 3, ..Usage::default() }).unwrap();
        let expected = concat!(
            r#"data: {"id":"cmpl-0a","object":"text_completion","created":7,"model":"m","choices":[],"#,
            r#""usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":3},"provider":"peer"}"#,
            "\n\ndata: [DONE]\n\n"
        );
        assert_eq!(told, expected);
    }

    #[test]
    fn usage_that_nobody_asked_for_is_not_told() {
        let mut dialect = CompletionsDialect::new("0a", 7, "m", false, Vec::new(), 1);
        assert_eq!(dialect.end(Usage::of_tokens(1, 0, 2)).unwrap(), "data: [DONE]\n\n");
    }

    #[test]
    fn each_answer_begins_with_its_own_prompt() {
        let mut dialect = dialect(&["One", "Two"], 2);
        let stop = Some(FinishReason::Stop);
        let chunks = [of(2, Delta::opening(), None), of(0, Delta::text("a"), stop), of(2, Delta::text("c"), stop), {
            of(1, Delta::default(), stop)
        }];
        let told: Vec<_> = chunks.into_iter().flat_map(|chunk| events(&dialect.piece(chunk).unwrap())).collect();
        let texts: Vec<_> =
            told.iter().map(|event| (&event["choices"][0]["index"], &event["choices"][0]["text"])).collect();
        let expected = [(2, "Two"), (0, "One"), (0, "a"), (2, "c"), (1, "One"), (1, "")];
        assert_eq!(json!(texts), json!(expected));
    }

    #[test]
    fn a_whole_answer_is_what_its_pieces_are_together() {
        let chunks = || {
            let thought = Delta { reasoning_content: Some("so ".into()), ..Delta::default() };
            let mut end = of(0, Delta::text("b"), Some(FinishReason::Stop));
            end.choices[0].stop_reason = Some("\n".into());
            [
                of(0, thought, None),
                of(0, Delta::text("a"), None),
                end,
                of(1, Delta::text("c"), Some(FinishReason::Length)),
            ]
        };
        let mut assembler = Assembler::default();
        chunks().into_iter().for_each(|chunk| assembler.push(chunk));
        let whole = dialect(&["Hm, "], 2).whole(assembler.finish().unwrap()).unwrap();
        let expected = json!({
            "id": "cmpl-0a", "object": "text_completion", "created": 7, "model": "m",
            "choices": [
                {"index": 0, "text": "Hm, so ab", "finish_reason": "stop", "stop_reason": "\n", "logprobs": null},
                {"index": 1, "text": "Hm, c", "finish_reason": "length", "logprobs": null}
            ]
        });
        assert_eq!(serde_json::from_slice::<Value>(&whole).unwrap(), expected);
        let mut streamed = dialect(&["Hm, "], 2);
        let mut texts = [String::new(), String::new()];
        for event in chunks().into_iter().flat_map(|chunk| events(&streamed.piece(chunk).unwrap())) {
            let piece = &event["choices"][0];
            texts[usize::try_from(piece["index"].as_u64().unwrap()).unwrap()] += piece["text"].as_str().unwrap();
        }
        assert_eq!(texts, ["Hm, so ab", "Hm, c"]);
    }

    #[test]
    fn a_stream_that_broke_ends_with_the_error() {
        let error = ApiError::new(ErrorKind::StreamBroken, "gone");
        let told = events(&dialect(&[], 1).broken(&error).unwrap());
        assert_eq!(told[0]["error"]["code"], "stream_broken");
    }
}
