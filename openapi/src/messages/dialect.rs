//! The answer in the words of Anthropic's API.
//!
//! Its stream is a row of blocks, each of which begins, grows and ends before the next one begins. A chat's pieces say
//! only what they add to, so that a block ends when something else comes.

use bytes::Bytes;
use http::Response;
use serde::ser::Error as _;

use super::answer::{call_id, stop};
use super::{
    AnswerBlock, BlockDelta, MessageEnd, MessagesAnswer, MessagesErrorBody, MessagesEvent, MessagesRequest, StopReason,
    error_response,
};
use crate::ApiError;
use crate::chat::{ChatChunk, ChatCompletion, ChunkChoice, FinishReason, ToolCallDelta};
use crate::dialect::{Dialect, Unwritable};
use crate::usage::Usage;

const PING_FRAME: Bytes = Bytes::from_static(b"event: ping\ndata: {\"type\":\"ping\"}\n\n");

/// Tells an answer to who asked `POST /v1/messages`.
#[derive(Debug)]
pub struct MessagesDialect {
    /// The answer before its content.
    head: MessagesAnswer,
    /// The block that grows.
    open: Option<Open>,
    /// Blocks begun so far.
    begun: u32,
    /// Calls of tools begun so far.
    calls: u32,
    finish: Option<FinishReason>,
    stop_text: Option<String>,
    /// What is answered, until the answer begins: a refusal names its fields.
    request: Option<Box<MessagesRequest>>,
}

/// What a block consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Thoughts,
    Text,
    /// The call of this index.
    Call(u32),
}

impl MessagesDialect {
    /// `id` is hexadecimal and becomes `msg_…`.
    #[must_use]
    pub fn new(id: &str, request: MessagesRequest) -> Self {
        let head = MessagesAnswer::empty(format!("msg_{id}"), &request.model, 0);
        let request = Some(Box::new(request));
        Self { head, open: None, begun: 0, calls: 0, finish: None, stop_text: None, request }
    }

    /// An error that names a field of the chat, naming the caller's own.
    fn in_own_terms(&self, error: &ApiError) -> ApiError {
        self.request.as_ref().map_or_else(|| error.clone(), |request| request.in_own_terms(error.clone()))
    }

    fn take_in(&mut self, choice: ChunkChoice, events: &mut Vec<MessagesEvent>) -> Result<(), Unwritable> {
        if let Some(thinking) = choice.delta.reasoning_content.filter(|text| !text.is_empty()) {
            let block = || AnswerBlock::Thinking { thinking: String::new(), signature: String::new() };
            self.turn_to(Open::Thoughts, block, events);
            self.grow(BlockDelta::ThinkingDelta { thinking }, events);
        }
        if let Some(text) = choice.delta.content.filter(|text| !text.is_empty()) {
            self.turn_to(Open::Text, || AnswerBlock::Text { text: String::new() }, events);
            self.grow(BlockDelta::TextDelta { text }, events);
        }
        for call in choice.delta.tool_calls.into_iter().flatten() {
            self.take_in_call(call, events)?;
        }
        self.finish = choice.finish_reason.or(self.finish);
        self.stop_text = choice.stop_reason.or(self.stop_text.take());
        Ok(())
    }

    /// Calls come one after the other. One that went on after its block has ended could only be told wrong.
    fn take_in_call(&mut self, call: ToolCallDelta, events: &mut Vec<MessagesEvent>) -> Result<(), Unwritable> {
        if self.open != Some(Open::Call(call.index)) && call.index < self.calls {
            return Err(Unwritable::custom("a call of a tool went on after its end"));
        }
        let function = call.function.unwrap_or_default();
        let place = usize::try_from(self.calls).unwrap_or(usize::MAX);
        let id = call_id(call.id, &self.head.id, place);
        let name = function.name.unwrap_or_default();
        let block = || AnswerBlock::ToolUse { id, name, input: serde_json::Map::new() };
        if self.turn_to(Open::Call(call.index), block, events) {
            self.calls = call.index.saturating_add(1);
        }
        if let Some(partial_json) = function.arguments.filter(|piece| !piece.is_empty()) {
            self.grow(BlockDelta::InputJsonDelta { partial_json }, events);
        }
        Ok(())
    }

    /// Ends the block that grows where it is another, and begins this one then. Says whether it did.
    fn turn_to(&mut self, next: Open, block: impl FnOnce() -> AnswerBlock, events: &mut Vec<MessagesEvent>) -> bool {
        if self.open == Some(next) {
            return false;
        }
        self.close(events);
        events.push(MessagesEvent::ContentBlockStart { index: self.begun, content_block: block() });
        self.open = Some(next);
        self.begun += 1;
        true
    }

    fn grow(&self, delta: BlockDelta, events: &mut Vec<MessagesEvent>) {
        events.push(MessagesEvent::ContentBlockDelta { index: self.begun.saturating_sub(1), delta });
    }

    fn close(&mut self, events: &mut Vec<MessagesEvent>) {
        let Some(open) = self.open.take() else { return };
        if open == Open::Thoughts {
            self.grow(BlockDelta::SignatureDelta { signature: String::new() }, events);
        }
        events.push(MessagesEvent::ContentBlockStop { index: self.begun.saturating_sub(1) });
    }
}

impl Dialect for MessagesDialect {
    fn whole(&mut self, answer: ChatCompletion) -> Result<Bytes, Unwritable> {
        serde_json::to_vec(&self.head.clone().with(answer)).map(Bytes::from)
    }

    fn prompt(&mut self, tokens: u64) {
        self.head.usage.input_tokens = tokens;
    }

    fn serves(&mut self, model: &str) {
        model.clone_into(&mut self.head.model);
    }

    fn open(&mut self) -> Result<Bytes, Unwritable> {
        self.request = None;
        MessagesEvent::MessageStart { message: self.head.clone() }.frame()
    }

    fn piece(&mut self, chunk: ChatChunk) -> Result<Bytes, Unwritable> {
        let mut events = Vec::new();
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            self.take_in(choice, &mut events)?;
        }
        frames(&events)
    }

    fn end(&mut self, usage: Usage) -> Result<Bytes, Unwritable> {
        let mut events = Vec::new();
        self.close(&mut events);
        let (stop_reason, stop_sequence) = match self.finish {
            Some(finish) => stop(finish, self.calls > 0, self.stop_text.take()),
            None => (StopReason::EndTurn, None),
        };
        let delta = MessageEnd { stop_reason, stop_sequence };
        events.push(MessagesEvent::MessageDelta { delta, usage: (&usage).into() });
        events.push(MessagesEvent::MessageStop);
        frames(&events)
    }

    fn broken(&mut self, error: &ApiError) -> Result<Bytes, Unwritable> {
        MessagesEvent::Error { error: MessagesErrorBody::from(&self.in_own_terms(error)) }.frame()
    }

    fn keep_alive(&self) -> Bytes {
        PING_FRAME
    }

    fn refusal(&self, error: &ApiError) -> Response<Bytes> {
        error_response(&self.in_own_terms(error))
    }
}

fn frames(events: &[MessagesEvent]) -> Result<Bytes, Unwritable> {
    let frames: Vec<_> = events.iter().map(MessagesEvent::frame).collect::<Result<_, _>>()?;
    Ok(Bytes::from(frames.concat()))
}
