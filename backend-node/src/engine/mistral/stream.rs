//! mistral.rs's messages as chunks of an answer.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::{StreamExt, stream};
use mistralrs::{ChatCompletionChunkResponse, Response};
use peerway_openapi::chat::{
    ChatChunk, Delta, FinishReason, FunctionCallDelta, Logprobs, Role, TokenLogprob, ToolCallDelta, ToolKind,
    TopLogprob,
};
use peerway_openapi::usage::Usage;
use tokio::sync::mpsc;

use super::chooser::{Chooser, Pick};
use super::prefix::PrefixCache;
use super::stop::StopWatch;
use super::vocabulary::Vocabulary;
use super::{BROKE, EngineError};
use crate::engine::{ChunkStream, Stamp};

/// What a stream is made from.
pub(super) struct Plan {
    pub(super) stamp: Stamp,
    pub(super) messages: mpsc::Receiver<Response>,
    pub(super) chooser: Arc<Chooser>,
    pub(super) vocabulary: Arc<Vocabulary>,
    pub(super) stops: Vec<String>,
    pub(super) wants_logprobs: bool,
    pub(super) prompt_tokens: usize,
    pub(super) limit: usize,
    pub(super) prefix: Arc<PrefixCache>,
}

struct Progress {
    plan: Plan,
    watch: StopWatch,
    ready: VecDeque<Result<ChatChunk, EngineError>>,
    opened: bool,
    over: bool,
    /// Picks already shown as log probabilities.
    shown: usize,
    /// Log probabilities of text that is held back.
    held: Vec<TokenLogprob>,
}

/// Reads messages until the answer has ended. Dropping the stream closes the channel, at which the engine stops.
pub(super) fn chunks(plan: Plan) -> ChunkStream {
    let watch = StopWatch::new(plan.stops.clone());
    let progress =
        Progress { plan, watch, ready: VecDeque::new(), opened: false, over: false, shown: 0, held: Vec::new() };
    stream::unfold(progress, |mut progress| async move {
        while progress.ready.is_empty() && !progress.over {
            let message = progress.plan.messages.recv().await;
            progress.take_in(message);
        }
        progress.ready.pop_front().map(|chunk| (chunk, progress))
    })
    .boxed()
}

impl Progress {
    fn take_in(&mut self, message: Option<Response>) {
        match message {
            Some(Response::Chunk(chunk)) => self.chunk(chunk),
            Some(Response::ValidationError(error)) => self.fail(refused(&error.to_string())),
            Some(Response::InternalError(error)) => self.fail(EngineError::node(BROKE, error.to_string())),
            Some(Response::ModelError(error, _)) => self.fail(EngineError::node(BROKE, error)),
            Some(_) => self.fail(EngineError::node(BROKE, "mistral.rs sent a message that no chat has")),
            None => self.closed(),
        }
    }

    fn chunk(&mut self, chunk: ChatCompletionChunkResponse) {
        let Some(choice) = chunk.choices.into_iter().next() else { return };
        let text = choice.delta.content.unwrap_or_default();
        let passed = self.watch.push(&text);
        if self.plan.wants_logprobs {
            self.collect_logprobs(&text);
        }
        if let Some(thoughts) = choice.delta.reasoning_content.filter(|thoughts| !thoughts.is_empty()) {
            self.send(Delta { reasoning_content: Some(thoughts), ..Delta::default() }, None);
        }
        if passed.stopped {
            return self.finish(&passed.text, FinishReason::Stop);
        }
        if let Some(calls) = choice.delta.tool_calls.filter(|calls| !calls.is_empty()) {
            self.send(Delta { tool_calls: Some(calls.into_iter().map(tool_call).collect()), ..Delta::default() }, None);
            return self.finish("", FinishReason::ToolCalls);
        }
        let reason = match choice.finish_reason.as_deref() {
            None => {
                if !passed.text.is_empty() || !self.opened {
                    self.send(Delta::text(passed.text), None);
                }
                return;
            }
            Some("stop") => FinishReason::Stop,
            Some("length") => FinishReason::Length,
            Some("tool_calls") => FinishReason::ToolCalls,
            Some(other) => return self.fail(EngineError::node(BROKE, format!("mistral.rs stopped: {other}"))),
        };
        let rest = passed.text + &self.watch.flush();
        self.finish(&rest, reason);
    }

    /// The engine let go without a last message. It does so where the answer ends inside a character.
    fn closed(&mut self) {
        let rest = self.watch.flush();
        let ended = self.plan.chooser.last().is_some_and(|token| self.plan.vocabulary.is_end(token));
        if ended {
            self.finish(&rest, FinishReason::Stop);
        } else if self.plan.chooser.count() >= self.plan.limit {
            self.finish(&rest, FinishReason::Length);
        } else {
            self.fail(EngineError::node(BROKE, "the engine let go of the answer before its end"));
        }
    }

    fn finish(&mut self, text: &str, reason: FinishReason) {
        let delta = if text.is_empty() { Delta::default() } else { Delta::text(text) };
        self.send(delta, Some(reason));
        let count = |tokens: usize| u64::try_from(tokens).unwrap_or(u64::MAX);
        // mistral.rs does not tell how much of the prompt its prefix cache had: none is claimed.
        let usage = Usage::of_tokens(count(self.plan.prompt_tokens), 0, count(self.plan.chooser.count()));
        self.ready.push_back(Ok(self.plan.stamp.usage(usage)));
        self.plan.prefix.count();
        self.end();
    }

    fn fail(&mut self, error: EngineError) {
        self.ready.push_back(Err(error));
        self.end();
    }

    fn end(&mut self) {
        self.over = true;
        self.plan.messages.close();
    }

    fn send(&mut self, delta: Delta, reason: Option<FinishReason>) {
        let role = (!std::mem::replace(&mut self.opened, true)).then_some(Role::Assistant);
        let sent = delta.content.as_deref().map_or(0, str::len);
        let mut chunk = self.plan.stamp.piece(Delta { role, ..delta }, reason);
        if self.plan.wants_logprobs {
            let content = self.logprobs_of(sent, reason.is_some());
            chunk.choices[0].logprobs =
                (!content.is_empty()).then_some(Logprobs { content: Some(content), refusal: None });
        }
        self.ready.push_back(Ok(chunk));
    }

    /// Notes the log probabilities of the tokens that make up this text. A chunk has one token, or several where a
    /// character has several.
    fn collect_logprobs(&mut self, text: &str) {
        let mut covered = 0;
        while let Some(pick) = self.plan.chooser.pick(self.shown) {
            self.shown += 1;
            if self.plan.vocabulary.is_end(pick.token) {
                break;
            }
            let shown = self.logprob(pick);
            covered += shown.bytes.as_ref().map_or(0, Vec::len);
            self.held.push(shown);
            if covered >= text.len() {
                break;
            }
        }
    }

    /// Those of the text that is being sent: all that is held, less what belongs to text that is still held back. At a
    /// stop text what belongs to it is dropped.
    fn logprobs_of(&mut self, sent: usize, is_last: bool) -> Vec<TokenLogprob> {
        if self.plan.stops.is_empty() {
            return std::mem::take(&mut self.held);
        }
        let mut covered = 0;
        let fits = |token: &TokenLogprob| {
            covered += token.bytes.as_ref().map_or(0, Vec::len);
            covered <= sent
        };
        let count = self.held.iter().map(fits).take_while(|&fits| fits).count();
        let rest = self.held.split_off(count);
        let content = std::mem::replace(&mut self.held, rest);
        if is_last {
            self.held.clear();
        }
        content
    }

    fn logprob(&self, pick: Pick) -> TokenLogprob {
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (logprob, top) = pick.likelihood.unwrap_or_default();
        let top_logprobs = top.into_iter().map(|(token, logprob)| {
            let bytes = self.plan.vocabulary.bytes(token);
            TopLogprob { token: text_of(&bytes), logprob, bytes: Some(bytes) }
        });
        let top_logprobs = top_logprobs.collect();
        let bytes = self.plan.vocabulary.bytes(pick.token);
        TokenLogprob { token: text_of(&bytes), logprob, bytes: Some(bytes), top_logprobs }
    }
}

fn tool_call(call: mistralrs::ToolCallResponse) -> ToolCallDelta {
    ToolCallDelta {
        index: u32::try_from(call.index).unwrap_or_default(),
        id: Some(call.id),
        kind: Some(ToolKind::Function),
        function: Some(FunctionCallDelta { name: Some(call.function.name), arguments: Some(call.function.arguments) }),
    }
}

/// What mistral.rs says of a request that it does not take, as far as the request's fields can be at fault.
fn refused(error: &str) -> EngineError {
    let error: String = error.lines().next().unwrap_or_default().chars().take(300).collect();
    if error.contains("Invalid grammar") {
        return EngineError::bad_param("response_format", format!("The schema cannot be followed: {error}"));
    }
    EngineError::BadRequest { param: None, message: error }
}
