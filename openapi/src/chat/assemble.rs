//! Chunks put together into a whole answer.
//!
//! An engine is always asked to stream, because only a stream can be cancelled; who asked for a whole answer gets its
//! chunks assembled.

use super::response::completion_object;
use super::{
    AssistantMessage, ChatChunk, ChatCompletion, Choice, ChunkChoice, FinishReason, FunctionCall, Logprobs, Role,
    ToolCall, ToolCallDelta, ToolKind,
};
use crate::usage::Usage;

/// Collects the chunks of a request's answers.
#[derive(Debug, Default)]
pub struct Assembler {
    head: Option<(String, i64, String)>,
    choices: Vec<Partial>,
    usage: Option<Usage>,
}

/// One answer so far.
#[derive(Debug, Default)]
struct Partial {
    content: String,
    reasoning: String,
    logprobs: Option<Logprobs>,
    tool_calls: Vec<ToolCall>,
    finish_reason: Option<FinishReason>,
    stop_reason: Option<String>,
}

/// The chunks ended before the answers did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream ended without a finish reason")]
pub struct Incomplete;

/// Answers of one request; a chunk that names a later one is dropped.
const MAX_CHOICES: usize = 4096;

impl Assembler {
    /// Adds the next chunk.
    pub fn push(&mut self, chunk: ChatChunk) {
        if self.head.is_none() {
            self.head = Some((chunk.id, chunk.created, chunk.model));
        }
        for choice in chunk.choices {
            let index = usize::try_from(choice.index).unwrap_or(MAX_CHOICES);
            if index >= MAX_CHOICES {
                continue;
            }
            if index >= self.choices.len() {
                self.choices.resize_with(index + 1, Partial::default);
            }
            self.choices[index].push(choice);
        }
        self.usage = chunk.usage.or(self.usage.take());
    }

    /// The whole answer.
    ///
    /// # Errors
    /// `Incomplete` where no chunk said why the model stopped.
    pub fn finish(self) -> Result<ChatCompletion, Incomplete> {
        let (id, created, model) = self.head.ok_or(Incomplete)?;
        let choices: Vec<_> =
            (0..).zip(self.choices).map(|(index, partial)| partial.finish(index)).collect::<Result<_, _>>()?;
        if choices.is_empty() {
            return Err(Incomplete);
        }
        let object = completion_object();
        Ok(ChatCompletion { id, object, created, model, choices, usage: self.usage, provider: None })
    }
}

impl Partial {
    fn push(&mut self, choice: ChunkChoice) {
        self.content.push_str(choice.delta.content.as_deref().unwrap_or_default());
        self.reasoning.push_str(choice.delta.reasoning_content.as_deref().unwrap_or_default());
        for delta in choice.delta.tool_calls.into_iter().flatten() {
            self.push_tool_call(delta);
        }
        if let Some(tokens) = choice.logprobs.and_then(|logprobs| logprobs.content) {
            let collected = self.logprobs.get_or_insert_default().content.get_or_insert_default();
            collected.extend(tokens);
        }
        self.finish_reason = choice.finish_reason.or(self.finish_reason);
        self.stop_reason = choice.stop_reason.or(self.stop_reason.take());
    }

    fn finish(self, index: u32) -> Result<Choice, Incomplete> {
        let finish_reason = self.finish_reason.ok_or(Incomplete)?;
        let only_calls = self.content.is_empty() && !self.tool_calls.is_empty();
        let message = AssistantMessage {
            role: Role::Assistant,
            content: (!only_calls).then_some(self.content),
            refusal: None,
            reasoning_content: (!self.reasoning.is_empty()).then_some(self.reasoning),
            tool_calls: (!self.tool_calls.is_empty()).then_some(self.tool_calls),
        };
        Ok(Choice { index, message, finish_reason, logprobs: self.logprobs, stop_reason: self.stop_reason })
    }

    /// A delta continues the call of its index; the first of an index opens it. Indexes come in order.
    fn push_tool_call(&mut self, delta: ToolCallDelta) {
        let index = usize::try_from(delta.index).unwrap_or(usize::MAX);
        if index >= self.tool_calls.len() {
            let function = FunctionCall { name: String::new(), arguments: String::new() };
            self.tool_calls.push(ToolCall { id: String::new(), kind: ToolKind::Function, function });
        }
        let last = self.tool_calls.len() - 1;
        let call = &mut self.tool_calls[index.min(last)];
        if let Some(id) = delta.id {
            call.id = id;
        }
        let function = delta.function.unwrap_or_default();
        call.function.name.push_str(&function.name.unwrap_or_default());
        call.function.arguments.push_str(&function.arguments.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Delta, FunctionCallDelta};

    fn piece(delta: Delta, finish: Option<FinishReason>) -> ChatChunk {
        ChatChunk::piece("chatcmpl-1", 7, "m", delta, finish)
    }

    #[test]
    fn text_is_joined_in_order() {
        let mut assembler = Assembler::default();
        assembler.push(piece(Delta::opening(), None));
        assembler.push(piece(Delta::text("Hel"), None));
        assembler.push(piece(Delta::text("lo"), Some(FinishReason::Length)));
        assembler.push(ChatChunk { usage: Some(Usage::of_tokens(3, 0, 2)), ..ChatChunk::empty("chatcmpl-1", 7, "m") });
        let whole = assembler.finish().unwrap();
        assert_eq!(whole.choices[0].message.content.as_deref(), Some("Hello"));
        assert_eq!(whole.choices[0].finish_reason, FinishReason::Length);
        assert_eq!(whole.usage.unwrap().total_tokens, 5);
    }

    #[test]
    fn a_stream_cut_short_is_no_answer() {
        let mut assembler = Assembler::default();
        assembler.push(piece(Delta::text("Hel"), None));
        assert_eq!(assembler.finish(), Err(Incomplete));
    }

    #[test]
    fn answers_keep_apart() {
        let of = |index, text: &str, finish| {
            let mut chunk = piece(Delta::text(text), finish);
            chunk.choices[0].index = index;
            chunk
        };
        let mut assembler = Assembler::default();
        for chunk in [of(1, "b", None), of(0, "a", Some(FinishReason::Stop)), of(1, "c", Some(FinishReason::Length))] {
            assembler.push(chunk);
        }
        let texts: Vec<_> =
            assembler.finish().unwrap().choices.into_iter().map(|c| (c.index, c.message.content)).collect();
        assert_eq!(texts, [(0, Some("a".into())), (1, Some("bc".into()))]);
    }

    #[test]
    fn one_answer_without_an_end_is_no_answer() {
        let mut assembler = Assembler::default();
        let mut second = piece(Delta::text("b"), None);
        second.choices[0].index = 1;
        assembler.push(piece(Delta::text("a"), Some(FinishReason::Stop)));
        assembler.push(second);
        assert_eq!(assembler.finish(), Err(Incomplete));
    }

    #[test]
    fn tool_calls_keep_their_index_and_arguments() {
        let delta = |index, id: Option<&str>, name: Option<&str>, arguments: &str| Delta {
            tool_calls: Some(vec![ToolCallDelta {
                index,
                id: id.map(str::to_owned),
                kind: None,
                function: Some(FunctionCallDelta { name: name.map(str::to_owned), arguments: Some(arguments.into()) }),
            }]),
            ..Delta::default()
        };
        let mut assembler = Assembler::default();
        assembler.push(piece(delta(0, Some("a"), Some("f"), "{\"x\""), None));
        assembler.push(piece(delta(0, None, None, ":1}"), None));
        assembler.push(piece(delta(1, Some("b"), Some("g"), "{}"), Some(FinishReason::ToolCalls)));
        let message = assembler.finish().unwrap().choices.remove(0).message;
        let calls = message.tool_calls.unwrap();
        assert_eq!(message.content, None);
        assert_eq!((calls[0].id.as_str(), calls[0].function.arguments.as_str()), ("a", "{\"x\":1}"));
        assert_eq!((calls[1].id.as_str(), calls[1].function.name.as_str()), ("b", "g"));
    }
}
