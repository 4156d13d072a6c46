//! mistral.rs's messages as chunks of an answer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use mistralrs::core::CompletionChunkResponse;
use mistralrs::{ChatCompletionChunkResponse, Response};
use peerway_openapi::chat::{
    ChatChunk, Delta, FinishReason, FunctionCallDelta, Logprobs, Role, TokenLogprob, ToolCallDelta, ToolKind,
    TopLogprob,
};
use peerway_openapi::usage::Usage;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::chooser::{Chooser, Pick};
use super::prefix::PrefixCache;
use super::resume::Seam;
use super::stop::StopWatch;
use super::vocabulary::Vocabulary;
use super::{BROKE, EngineError};
use crate::engine::{ChunkStream, Stamp};

/// How long an engine that is at work may say nothing.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

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
    /// Tool calls that the answer may have; what comes past them is left out.
    pub(super) most_calls: usize,
    /// The request's field that gives the answer its shape. None: it may have any.
    pub(super) shape_field: Option<String>,
    pub(super) prefix: Arc<PrefixCache>,
    /// Whether pieces tell their tokens.
    pub(super) tells_tokens: bool,
    /// Text that another node had held back, where this answer goes on with its. None: it begins.
    pub(super) held: Option<String>,
}

struct Progress {
    plan: Plan,
    watch: StopWatch,
    ready: VecDeque<Result<ChatChunk, EngineError>>,
    opened: bool,
    /// The first text has come in.
    began: bool,
    over: bool,
    /// Picks already shown as log probabilities.
    shown: usize,
    /// Tokens picked when a sign of life was given last.
    picked: usize,
    /// Picks already told by their ids.
    told: usize,
    /// Log probabilities of text that is held back.
    held: Vec<TokenLogprob>,
}

/// Reads messages until the answer has ended. Dropping the stream closes the channel, at which the engine stops.
pub(super) fn chunks(plan: Plan) -> ChunkStream {
    let watch = StopWatch::new(plan.stops.clone());
    let held = plan.held.clone();
    let mut progress = Progress {
        plan,
        watch,
        ready: VecDeque::new(),
        // Who speaks was told by the node that began.
        opened: held.is_some(),
        began: false,
        told: 0,
        over: false,
        shown: 0,
        picked: 0,
        held: Vec::new(),
    };
    if let Some(held) = held.filter(|held| !held.is_empty()) {
        let passed = progress.watch.push(&held);
        match passed.stopped {
            Some(stop) => progress.finish(&passed.text, FinishReason::Stop, Some(stop)),
            None if passed.text.is_empty() => {}
            None => progress.send(Delta::text(passed.text)),
        }
    }
    stream::unfold(progress, |mut progress| async move {
        while progress.ready.is_empty() && !progress.over {
            match tokio::time::timeout(SIGN_OF_LIFE, progress.plan.messages.recv()).await {
                Ok(message) => progress.take_in(message),
                Err(_) => progress.give_a_sign(),
            }
        }
        progress.ready.pop_front().map(|chunk| (chunk, progress))
    })
    .boxed()
}

/// The end of an answer of which another node had made everything but that.
pub(super) fn ended(
    stamp: &Stamp,
    stops: Vec<String>,
    seam: Option<Seam>,
    reason: FinishReason,
    prompt_tokens: usize,
) -> ChunkStream {
    let mut watch = StopWatch::new(stops);
    let passed = watch.push(&seam.map(|seam| seam.held).unwrap_or_default());
    let reason = if passed.stopped.is_some() { FinishReason::Stop } else { reason };
    let text = if passed.stopped.is_some() { passed.text } else { passed.text + &watch.flush() };
    let delta = if text.is_empty() { Delta::default() } else { Delta::text(text) };
    let mut last = stamp.piece(delta, Some(reason));
    last.choices[0].stop_reason = passed.stopped;
    let usage = Usage::of_tokens(u64::try_from(prompt_tokens).unwrap_or(u64::MAX), 0, 0);
    stream::iter([Ok(last), Ok(stamp.usage(usage))]).boxed()
}

impl Progress {
    /// mistral.rs says nothing while what it writes may be the call of a tool. Where tokens are picked meanwhile, an empty
    /// piece tells the reader that the engine is at work; one that stands still is not covered up.
    fn give_a_sign(&mut self) {
        let picked = self.plan.chooser.count();
        if std::mem::replace(&mut self.picked, picked) < picked {
            self.send(Delta::default());
        }
    }

    fn take_in(&mut self, message: Option<Response>) {
        match message {
            Some(Response::Chunk(chunk)) => self.chunk(chunk),
            Some(Response::CompletionChunk(chunk)) => self.text(chunk),
            Some(Response::ValidationError(error)) => self.fail(refused(&error.to_string())),
            Some(Response::InternalError(error)) => self.broke(&error.to_string()),
            Some(Response::ModelError(error, _)) => self.broke(&error),
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
            self.send(Delta { reasoning_content: Some(thoughts), ..Delta::default() });
        }
        if let Some(stop) = passed.stopped {
            return self.finish(&passed.text, FinishReason::Stop, Some(stop));
        }
        if let Some(calls) = choice.delta.tool_calls.filter(|calls| !calls.is_empty()) {
            for (index, call) in (0..).zip(calls.into_iter().take(self.plan.most_calls)) {
                self.send(Delta { tool_calls: Some(vec![tool_call(index, call)]), ..Delta::default() });
            }
            return self.finish("", FinishReason::ToolCalls, None);
        }
        self.go_on(passed.text, choice.finish_reason.as_deref());
    }

    /// A piece of a text that has no conversation.
    fn text(&mut self, chunk: CompletionChunkResponse) {
        let Some(choice) = chunk.choices.into_iter().next() else { return };
        let text = self.first_space() + &choice.text;
        let passed = self.watch.push(&text);
        if self.plan.wants_logprobs {
            self.collect_logprobs(&text);
        }
        match passed.stopped {
            Some(stop) => self.finish(&passed.text, FinishReason::Stop, Some(stop)),
            None => self.go_on(passed.text, choice.finish_reason.as_deref()),
        }
    }

    /// mistral.rs takes the white space from the beginning of every answer. A text goes on where its prompt ended, and
    /// there it belongs to it.
    fn first_space(&mut self) -> String {
        if std::mem::replace(&mut self.began, true) {
            return String::new();
        }
        self.plan.chooser.pick(0).map_or_else(String::new, |pick| self.plan.vocabulary.leading_space(pick.token))
    }

    /// Sends text and, where mistral.rs says why it stopped, the end.
    fn go_on(&mut self, text: String, reason: Option<&str>) {
        let reason = match reason {
            None => {
                if !text.is_empty() || !self.opened {
                    self.send(Delta::text(text));
                }
                return;
            }
            Some("stop") => FinishReason::Stop,
            Some("length") => FinishReason::Length,
            Some("tool_calls") => FinishReason::ToolCalls,
            Some(other) => return self.fail(EngineError::node(BROKE, format!("mistral.rs stopped: {other}"))),
        };
        let rest = text + &self.watch.flush();
        self.finish(&rest, reason, None);
    }

    /// The engine let go without a last message. It does so where the answer ends inside a character.
    fn closed(&mut self) {
        let rest = self.watch.flush();
        let ended = self.plan.chooser.last().is_some_and(|token| self.plan.vocabulary.is_end(token));
        if ended {
            self.finish(&rest, FinishReason::Stop, None);
        } else if self.plan.chooser.count() >= self.plan.limit {
            self.finish(&rest, FinishReason::Length, None);
        } else {
            self.fail(EngineError::node(BROKE, "the engine let go of the answer before its end"));
        }
    }

    fn finish(&mut self, text: &str, reason: FinishReason, stop: Option<String>) {
        let delta = if text.is_empty() { Delta::default() } else { Delta::text(text) };
        let mut last = self.chunk_of(delta, Some(reason));
        last.choices[0].stop_reason = stop;
        self.ready.push_back(Ok(last));
        let count = |tokens: usize| u64::try_from(tokens).unwrap_or(u64::MAX);
        // mistral.rs does not tell how much of the prompt its prefix cache had: none is claimed.
        let usage = Usage::of_tokens(count(self.plan.prompt_tokens), 0, count(self.plan.chooser.count()));
        self.ready.push_back(Ok(self.plan.stamp.usage(usage)));
        self.plan.prefix.count();
        self.end();
    }

    /// The engine could not go on. Where that is for a grammar that grew too large, it is not the node's fault: another node
    /// would fare no better.
    fn broke(&mut self, error: &str) {
        if let Some(field) = self.plan.shape_field.take().filter(|_| error.contains("TooComplex")) {
            return self.fail(EngineError::bad_param(field, "It cannot be followed: it is too complex."));
        }
        // The first line: further ones may hold what was said, which no log may.
        self.fail(EngineError::node(BROKE, first_line(error)));
    }

    fn fail(&mut self, error: EngineError) {
        self.ready.push_back(Err(error));
        self.end();
    }

    fn end(&mut self) {
        self.over = true;
        self.plan.messages.close();
    }

    fn send(&mut self, delta: Delta) {
        let chunk = self.chunk_of(delta, None);
        self.ready.push_back(Ok(chunk));
    }

    fn chunk_of(&mut self, delta: Delta, reason: Option<FinishReason>) -> ChatChunk {
        let role = (!std::mem::replace(&mut self.opened, true)).then_some(Role::Assistant);
        let sent = delta.content.as_deref().map_or(0, str::len);
        let mut chunk = self.plan.stamp.piece(Delta { role, ..delta }, reason);
        if self.plan.tells_tokens {
            // The engine may be ahead of what is shown: what its tokens say beyond this piece is still to come.
            let ids = self.plan.chooser.tokens_from(self.told);
            self.told += ids.len();
            chunk.choices[0].token_ids = (!ids.is_empty()).then_some(ids);
        }
        if self.plan.wants_logprobs {
            let content = self.logprobs_of(sent, reason.is_some());
            chunk.choices[0].logprobs =
                (!content.is_empty()).then_some(Logprobs { content: Some(content), refusal: None });
        }
        chunk
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

fn tool_call(index: u32, call: mistralrs::ToolCallResponse) -> ToolCallDelta {
    ToolCallDelta {
        index,
        // Unique in the conversation, and in OpenAI's form, which some clients look at.
        id: Some(format!("call_{}", Uuid::new_v4().simple())),
        kind: Some(ToolKind::Function),
        function: Some(FunctionCallDelta { name: Some(call.function.name), arguments: Some(call.function.arguments) }),
    }
}

/// What mistral.rs says of a request that it does not take, as far as the request's fields can be at fault.
fn refused(error: &str) -> EngineError {
    let error = first_line(error);
    EngineError::BadRequest { param: None, message: error }
}

fn first_line(error: &str) -> String {
    error.lines().next().unwrap_or_default().chars().take(300).collect()
}
