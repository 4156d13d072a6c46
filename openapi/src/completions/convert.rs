//! Text completions into chat answers and back.
//!
//! A gateway reads what a node or an upstream server streams as text, counts it as chat chunks, and tells it as text
//! again. What a chat answer has and text has no place for is left out: who speaks, and the calls of tools. Thoughts are
//! text as any other.

use std::collections::BTreeMap;

use super::response::text_completion;
use super::{Completion, CompletionChunk, CompletionLogprobs, TextChoice, TextPiece};
use crate::chat::{ChatChunk, ChatCompletion, Choice, ChunkChoice, Delta, Logprobs, TokenLogprob, TopLogprob};

/// What OpenAI says for a token so unlikely that its logarithm has no number.
const UNLIKELY: f32 = -9999.0;

/// Characters of each answer told so far, by its index.
#[derive(Debug, Default)]
pub struct TextOffsets(BTreeMap<u32, u32>);

impl TextOffsets {
    /// Adds a text that comes before the next token of an answer.
    pub fn add(&mut self, index: u32, text: &str) {
        let offset = self.0.entry(index).or_default();
        *offset = offset.saturating_add(characters(text));
    }

    /// The log probabilities of an answer's next tokens.
    fn place(&mut self, index: u32, tokens: Vec<TokenLogprob>) -> CompletionLogprobs {
        let offset = self.0.entry(index).or_default();
        let mut placed = CompletionLogprobs::default();
        for token in tokens {
            placed.text_offset.push(*offset);
            *offset = offset.saturating_add(characters(&token.token));
            let chosen = (token.token.clone(), finite(token.logprob));
            let likeliest = token.top_logprobs.into_iter().map(|top| (top.token, finite(top.logprob)));
            placed.top_logprobs.get_or_insert_default().push(Some(likeliest.chain([chosen]).collect()));
            placed.tokens.push(token.token);
            placed.token_logprobs.push(Some(finite(token.logprob)));
        }
        placed
    }
}

impl CompletionChunk {
    /// A chat chunk as text. `offsets` is the same for all chunks of a request.
    #[must_use]
    pub fn of_chat(chunk: ChatChunk, offsets: &mut TextOffsets) -> Self {
        let choices = chunk.choices.into_iter().map(|choice| TextPiece::of_chat(choice, offsets)).collect();
        Self {
            id: chunk.id,
            object: text_completion(),
            created: chunk.created,
            model: chunk.model,
            choices,
            usage: chunk.usage,
            provider: chunk.provider,
        }
    }
}

impl TextPiece {
    fn of_chat(choice: ChunkChoice, offsets: &mut TextOffsets) -> Self {
        let tokens = choice.logprobs.and_then(|logprobs| logprobs.content);
        Self {
            index: choice.index,
            text: joined(choice.delta.reasoning_content, choice.delta.content),
            finish_reason: choice.finish_reason.map(Into::into),
            logprobs: tokens.map(|tokens| offsets.place(choice.index, tokens)),
            stop_reason: choice.stop_reason,
            token_ids: choice.token_ids,
        }
    }
}

impl Completion {
    /// A whole chat answer as text. `offsets` has what comes before each answer.
    #[must_use]
    pub fn of_chat(answer: ChatCompletion, offsets: &mut TextOffsets) -> Self {
        let choices = answer.choices.into_iter().map(|choice| TextChoice::of_chat(choice, offsets)).collect();
        Self {
            id: answer.id,
            object: text_completion(),
            created: answer.created,
            model: answer.model,
            choices,
            usage: answer.usage,
            provider: answer.provider,
        }
    }
}

impl TextChoice {
    fn of_chat(choice: Choice, offsets: &mut TextOffsets) -> Self {
        let tokens = choice.logprobs.and_then(|logprobs| logprobs.content);
        Self {
            index: choice.index,
            text: joined(choice.message.reasoning_content, choice.message.content),
            finish_reason: choice.finish_reason.into(),
            logprobs: tokens.map(|tokens| offsets.place(choice.index, tokens)),
            stop_reason: choice.stop_reason,
        }
    }
}

impl From<CompletionChunk> for ChatChunk {
    fn from(chunk: CompletionChunk) -> Self {
        Self {
            choices: chunk.choices.into_iter().map(Into::into).collect(),
            usage: chunk.usage,
            provider: chunk.provider,
            ..Self::empty(chunk.id, chunk.created, chunk.model)
        }
    }
}

impl From<TextPiece> for ChunkChoice {
    fn from(piece: TextPiece) -> Self {
        Self {
            index: piece.index,
            delta: Delta { content: (!piece.text.is_empty()).then_some(piece.text), ..Delta::default() },
            finish_reason: piece.finish_reason.map(Into::into),
            logprobs: piece.logprobs.map(Into::into),
            stop_reason: piece.stop_reason,
            token_ids: piece.token_ids,
        }
    }
}

impl From<CompletionLogprobs> for Logprobs {
    // Lists of different lengths end with the shortest; a token without its own probability is none that was chosen.
    fn from(placed: CompletionLogprobs) -> Self {
        let likeliest = placed.top_logprobs.unwrap_or_default().into_iter().chain(std::iter::repeat(None));
        let tokens = placed.tokens.into_iter().zip(placed.token_logprobs).zip(likeliest);
        let content = tokens.filter_map(|((token, logprob), likeliest)| {
            let top =
                likeliest.into_iter().flatten().map(|(token, logprob)| TopLogprob { token, logprob, bytes: None });
            let mut top_logprobs: Vec<_> = top.collect();
            top_logprobs.sort_by(|one, other| other.logprob.total_cmp(&one.logprob));
            Some(TokenLogprob { token, logprob: logprob?, bytes: None, top_logprobs })
        });
        Self { content: Some(content.collect()), refusal: None }
    }
}

fn joined(thoughts: Option<String>, text: Option<String>) -> String {
    match (thoughts, text) {
        (Some(thoughts), Some(text)) => thoughts + &text,
        (thoughts, text) => thoughts.or(text).unwrap_or_default(),
    }
}

fn finite(logprob: f32) -> f32 {
    if logprob.is_finite() { logprob } else { UNLIKELY }
}

fn characters(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chat::FinishReason;
    use crate::usage::Usage;

    fn token(text: &str, logprob: f32, top: &[(&str, f32)]) -> TokenLogprob {
        let top = top.iter().map(|(token, logprob)| TopLogprob {
            token: (*token).to_owned(),
            logprob: *logprob,
            bytes: None,
        });
        TokenLogprob { token: text.to_owned(), logprob, bytes: None, top_logprobs: top.collect() }
    }

    #[test]
    fn an_upstream_chunk_becomes_a_chat_chunk() {
        let upstream = json!({
            "id": "cmpl-1", "object": "text_completion", "created": 7, "model": "m", "system_fingerprint": "x",
            "choices": [{"index": 3, "text": "Hi", "finish_reason": "length", "stop_reason": "\n", "logprobs": {
                "tokens": ["H", "i"], "token_logprobs": [null, -0.5], "text_offset": [0, 1],
                "top_logprobs": [null, {"i": -0.5, "o": -0.25}]
            }}]
        });
        let chat = ChatChunk::from(serde_json::from_value::<CompletionChunk>(upstream).unwrap());
        let expected = json!({
            "id": "cmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "m",
            "choices": [{"index": 3, "delta": {"content": "Hi"}, "finish_reason": "length", "stop_reason": "\n",
                "logprobs": {"refusal": null, "content": [{"token": "i", "logprob": -0.5, "bytes": null,
                    "top_logprobs": [{"token": "o", "logprob": -0.25, "bytes": null},
                                     {"token": "i", "logprob": -0.5, "bytes": null}]}]}}]
        });
        assert_eq!(serde_json::to_value(chat).unwrap(), expected);
    }

    #[test]
    fn chat_and_back_is_the_same() {
        let mut chat = ChatChunk::piece("cmpl-1", 7, "m", Delta::text("Hi"), Some(FinishReason::ContentFilter));
        chat.usage = Some(Usage::of_tokens(3, 1, 2));
        chat.provider = Some("peer".into());
        chat.choices[0].stop_reason = Some("\n".into());
        let tokens = vec![token("H", -0.5, &[("H", -0.5), ("h", -1.5)]), token("i", -0.25, &[("i", -0.25)])];
        chat.choices[0].logprobs = Some(Logprobs { content: Some(tokens), refusal: None });
        let text = CompletionChunk::of_chat(chat.clone(), &mut TextOffsets::default());
        assert_eq!(ChatChunk::from(text), chat);
    }

    #[test]
    fn offsets_count_characters_and_go_on_from_chunk_to_chunk() {
        let mut offsets = TextOffsets::default();
        offsets.add(1, "\u{e4}b");
        let mut of = |index, texts: &[&str]| {
            let tokens = texts.iter().map(|text| token(text, -1.0, &[])).collect();
            offsets.place(index, tokens).text_offset
        };
        assert_eq!(of(1, &["\u{20ac}", "xy"]), [2, 3]);
        assert_eq!(of(0, &["a"]), [0]);
        assert_eq!(of(1, &["z"]), [5]);
    }

    #[test]
    fn the_chosen_token_is_among_the_likeliest_and_all_are_numbers() {
        let placed = TextOffsets::default().place(0, vec![token("c", f32::NEG_INFINITY, &[("a", -0.1)])]);
        let expected = json!({
            "tokens": ["c"], "token_logprobs": [-9999.0], "text_offset": [0],
            "top_logprobs": [{"a": -0.1_f32, "c": -9999.0}]
        });
        assert_eq!(serde_json::to_value(placed).unwrap(), expected);
    }

    #[test]
    fn calls_of_tools_end_as_any_text() {
        let chunk = ChatChunk::piece("i", 1, "m", Delta::default(), Some(FinishReason::ToolCalls));
        let text = CompletionChunk::of_chat(chunk, &mut TextOffsets::default());
        assert_eq!(text.choices[0].finish_reason, Some(super::super::TextFinish::Stop));
    }
}
