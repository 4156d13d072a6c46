//! Several choices of one request, for engines that make one at a time.
//!
//! mistral.rs can make several itself, but as one batch, which it mixes up on a CPU (see `mistral/turn.rs`), and with one
//! seed for all. So each choice is a run of its own, and their chunks are put into one stream. The request's slot is for
//! its first run. More run beside it while there are slots that nobody else wants, one slot a run, and otherwise one after
//! the other: a request for 128 choices is then a long request, and never takes more than its share from the next caller.
//!
//! Nothing is buffered here. A run is only opened when it has a slot, and what nobody reads is not polled.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use peerway_openapi::chat::ChatChunk;
use peerway_openapi::usage::Usage;

use super::gated::Metered;
use super::{Answer, Asked, ChunkStream, Engine, EngineError, Gate, Pace, Slot};

/// What a run needs.
#[derive(Clone)]
pub(super) struct Runner {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) gate: Arc<Gate>,
    pub(super) pace: Arc<Pace>,
}

/// The choices of one request being made.
struct Choices {
    runner: Runner,
    asked: Asked,
    /// The next choice to open.
    next: u32,
    running: SelectAll<BoxStream<'static, (u32, Step)>>,
    /// The slot of a run that is over.
    spare: Option<Slot>,
    told: Told,
    over: bool,
}

enum Step {
    Chunk(Result<ChatChunk, EngineError>),
    Over(Slot),
}

/// What is the same in all chunks, and the sums for the last.
#[derive(Default)]
struct Told {
    head: Option<(String, i64, String)>,
    usage: Option<Usage>,
}

/// Makes the choices of a request that holds a slot. Dropping the stream drops every run.
pub(super) async fn answer(runner: Runner, asked: Asked, slot: Slot) -> Result<ChunkStream, EngineError> {
    runner.engine.check(&asked)?;
    // The first run is opened before there is a stream: what is refused is refused with its own status.
    let first = open(runner.clone(), asked.choice(0)).await?;
    let mut running = SelectAll::new();
    running.push(steps(0, first, slot));
    let told = Told::default();
    Ok(Choices { runner, asked, next: 1, running, spare: None, told, over: false }.boxed())
}

/// One run's chunks.
async fn open(runner: Runner, asked: Asked) -> Result<ChunkStream, EngineError> {
    let began = Instant::now();
    match runner.engine.answer(asked).await? {
        Answer::Stream(stream) => Ok(Metered::new(stream, runner.pace, began, None).boxed()),
        Answer::Whole(_) => Err(EngineError::node("The engine failed.", "an engine did not stream a choice")),
    }
}

fn steps(index: u32, chunks: ChunkStream, slot: Slot) -> BoxStream<'static, (u32, Step)> {
    let over = stream::once(std::future::ready(Step::Over(slot)));
    chunks.map(Step::Chunk).chain(over).map(move |step| (index, step)).boxed()
}

impl Choices {
    /// Opens runs while there are choices to make and slots to make them in.
    fn open_more(&mut self) {
        while self.next < self.asked.choices() {
            let Some(slot) = self.spare.take().or_else(|| self.runner.gate.spare()) else { return };
            let opening = open(self.runner.clone(), self.asked.choice(self.next));
            self.running.push(steps(self.next, stream::once(opening).try_flatten().boxed(), slot));
            self.next += 1;
        }
        self.spare = None;
    }
}

impl Stream for Choices {
    type Item = Result<ChatChunk, EngineError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        while !this.over {
            this.open_more();
            match ready!(this.running.poll_next_unpin(context)) {
                Some((index, Step::Chunk(Ok(chunk)))) => {
                    let counts_prompt = this.asked.is_first_of_prompt(index);
                    if let Some(chunk) = this.told.chunk(index, chunk, counts_prompt) {
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                }
                Some((_, Step::Chunk(Err(error)))) => {
                    this.over = true;
                    this.running.clear();
                    return Poll::Ready(Some(Err(error)));
                }
                Some((_, Step::Over(slot))) => this.spare = Some(slot),
                None => {
                    this.over = true;
                    return Poll::Ready(this.told.last().map(Ok));
                }
            }
        }
        Poll::Ready(None)
    }
}

impl Told {
    /// A run's chunk as one of the whole answer. None where it has no piece of it.
    fn chunk(&mut self, index: u32, mut chunk: ChatChunk, counts_prompt: bool) -> Option<ChatChunk> {
        if let Some(usage) = chunk.usage.take() {
            let sum = self.usage.get_or_insert_with(|| Usage::of_tokens(0, 0, 0));
            let (prompt, cached) = if counts_prompt { (usage.prompt_tokens, usage.cached_tokens()) } else { (0, 0) };
            *sum = Usage::of_tokens(
                sum.prompt_tokens.saturating_add(prompt),
                sum.cached_tokens().saturating_add(cached),
                sum.completion_tokens.saturating_add(usage.completion_tokens),
            );
        }
        let head = self.head.get_or_insert_with(|| (chunk.id.clone(), chunk.created, chunk.model.clone()));
        if chunk.choices.is_empty() {
            return None;
        }
        chunk.id.clone_from(&head.0);
        chunk.created = head.1;
        for choice in &mut chunk.choices {
            choice.index = index;
        }
        Some(chunk)
    }

    fn last(&mut self) -> Option<ChatChunk> {
        let (id, created, model) = self.head.take()?;
        let usage = self.usage.take()?;
        Some(ChatChunk { usage: Some(usage), ..ChatChunk::empty(id, created, model) })
    }
}
