//! An upstream's event stream as typed chunks.
//!
//! Servers differ at the edges: some send `usage` with the last choice or with every chunk, some leave `role` out, some
//! end without `[DONE]`, some put pieces of several choices into one chunk. Whatever comes in, one form goes out: one
//! piece a chunk, role first, usage last and alone.

use std::collections::VecDeque;
use std::time::Duration;

use futures::{StreamExt, stream};
use peerway_openapi::chat::{ChatChunk, Role};
use peerway_openapi::error::ErrorEnvelope;
use peerway_openapi::sse::{DONE, Decoder};
use peerway_openapi::usage::Usage;
use reqwest::Response;
use serde::de::DeserializeOwned;

use super::super::{ChunkStream, EngineError};
use super::{failure, lenient};

/// Bytes of one event. A chunk with twenty `top_logprobs` a token stays far below it.
const MAX_EVENT: usize = 1 << 20;

struct Upstream {
    response: Response,
    decoder: Decoder,
    model: String,
    idle: Duration,
    choices: Vec<Progress>,
    ready: VecDeque<ChatChunk>,
    usage: Option<Usage>,
    last: Option<(String, i64)>,
    over: bool,
}

/// How far one choice has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Awaited,
    Begun,
    Finished,
}

/// What is known of the stream beforehand.
pub(super) struct Expected {
    /// The model's public id.
    pub(super) model: String,
    /// Choices that were asked for.
    pub(super) choices: usize,
    /// The longest silence.
    pub(super) idle: Duration,
}

/// Reads the answer's events. Dropping the stream closes the connection, by which the upstream knows to stop.
///
/// `C`: what its events are, chunks of a chat or of a text.
pub(super) fn chunks<C>(response: Response, expected: Expected) -> ChunkStream
where
    C: DeserializeOwned + Into<ChatChunk> + Send + 'static,
{
    let upstream = Upstream {
        response,
        decoder: Decoder::new(MAX_EVENT),
        model: expected.model,
        idle: expected.idle,
        choices: vec![Progress::Awaited; expected.choices],
        ready: VecDeque::new(),
        usage: None,
        last: None,
        over: false,
    };
    stream::unfold(upstream, |mut upstream| async move {
        if upstream.over {
            return None;
        }
        let next = upstream.next::<C>().await.transpose()?;
        upstream.over |= next.is_err();
        Some((next, upstream))
    })
    .boxed()
}

impl Upstream {
    /// The next chunk, None after the last.
    async fn next<C: DeserializeOwned + Into<ChatChunk>>(&mut self) -> Result<Option<ChatChunk>, EngineError> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Ok(Some(chunk));
            }
            let event = self.decoder.next_event().map_err(failure::malformed)?;
            if let Some(event) = event {
                if event.as_ref() == DONE {
                    return self.end();
                }
                self.read::<C>(&event)?;
                continue;
            }
            match tokio::time::timeout(self.idle, self.response.chunk()).await {
                Err(_elapsed) => return Err(failure::silent("go on with its stream", self.idle)),
                Ok(Err(error)) => return Err(failure::transport(&error)),
                Ok(Ok(Some(bytes))) => self.decoder.push(&bytes),
                Ok(Ok(None)) => return self.end(),
            }
        }
    }

    /// Takes one event apart: a chunk for each piece in it.
    fn read<C: DeserializeOwned + Into<ChatChunk>>(&mut self, event: &[u8]) -> Result<(), EngineError> {
        let mut chunk: ChatChunk = lenient::read::<C>(event).map_err(|error| unreadable(event, &error))?.into();
        chunk.model.clone_from(&self.model);
        if let Some(usage) = chunk.usage.take() {
            self.usage = Some(usage);
        }
        if self.last.is_none() || chunk.choices.is_empty() {
            self.last = Some((chunk.id.clone(), chunk.created));
        }
        for mut choice in std::mem::take(&mut chunk.choices) {
            let place = usize::try_from(choice.index).unwrap_or(usize::MAX);
            let Some(progress) = self.choices.get_mut(place) else {
                return Err(failure::malformed(format_args!("choice {place}, which was not asked for")));
            };
            match *progress {
                Progress::Awaited => choice.delta.role = Some(Role::Assistant),
                Progress::Begun => {}
                Progress::Finished => return Err(failure::malformed("a choice after its finish_reason")),
            }
            *progress = if choice.finish_reason.is_some() { Progress::Finished } else { Progress::Begun };
            self.ready.push_back(ChatChunk { choices: vec![choice], ..chunk.clone() });
        }
        Ok(())
    }

    /// The stream has ended: the usage chunk, if there was any usage.
    fn end(&mut self) -> Result<Option<ChatChunk>, EngineError> {
        self.over = true;
        if self.choices.iter().any(|progress| *progress != Progress::Finished) {
            return Err(failure::malformed("its stream ended before every choice did"));
        }
        let Some(usage) = self.usage.take() else { return Ok(None) };
        let (id, created) = self.last.take().unwrap_or_default();
        let empty = ChatChunk::empty(id, created, self.model.clone());
        Ok(Some(ChatChunk { usage: Some(usage), ..empty }))
    }
}

fn unreadable(event: &[u8], error: &serde_json::Error) -> EngineError {
    match serde_json::from_slice::<ErrorEnvelope>(event) {
        Ok(envelope) => failure::malformed(format_args!("an error inside its stream: {}", envelope.error.message)),
        Err(_no_envelope) => failure::malformed(format_args!("an event of its stream: {error}")),
    }
}
