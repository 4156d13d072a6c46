//! An upstream's event stream as typed chunks.
//!
//! Servers differ at the edges: some send `usage` with the last choice or with every chunk, some leave `role` out, some
//! end without `[DONE]`. Whatever comes in, one form goes out: role first, usage last and alone.

use std::time::Duration;

use futures::{StreamExt, stream};
use peerway_openapi::chat::{ChatChunk, Role};
use peerway_openapi::error::ErrorEnvelope;
use peerway_openapi::sse::{DONE, Decoder};
use peerway_openapi::usage::Usage;
use reqwest::Response;

use super::super::{ChunkStream, EngineError};
use super::failure;

/// Bytes of one event. A chunk with twenty `top_logprobs` a token stays far below it.
const MAX_EVENT: usize = 1 << 20;

struct Upstream {
    response: Response,
    decoder: Decoder,
    model: String,
    idle: Duration,
    began: bool,
    finished: bool,
    usage: Option<Usage>,
    last: Option<(String, i64)>,
    over: bool,
}

/// Reads the answer's events. Dropping the stream closes the connection, by which the upstream knows to stop.
pub(super) fn chunks(response: Response, model: String, idle: Duration) -> ChunkStream {
    let upstream = Upstream {
        response,
        decoder: Decoder::new(MAX_EVENT),
        model,
        idle,
        began: false,
        finished: false,
        usage: None,
        last: None,
        over: false,
    };
    stream::unfold(upstream, |mut upstream| async move {
        if upstream.over {
            return None;
        }
        let next = upstream.next().await.transpose()?;
        upstream.over |= next.is_err();
        Some((next, upstream))
    })
    .boxed()
}

impl Upstream {
    /// The next chunk, None after the last.
    async fn next(&mut self) -> Result<Option<ChatChunk>, EngineError> {
        loop {
            let event = self.decoder.next_event().map_err(failure::malformed)?;
            if let Some(event) = event {
                if event.as_ref() == DONE {
                    return self.end();
                }
                if let Some(chunk) = self.read(&event)? {
                    return Ok(Some(chunk));
                }
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

    /// One event as a chunk; None where it holds nothing to pass on.
    fn read(&mut self, event: &[u8]) -> Result<Option<ChatChunk>, EngineError> {
        let mut chunk: ChatChunk = match serde_json::from_slice(event) {
            Ok(chunk) => chunk,
            Err(error) => return Err(unreadable(event, &error)),
        };
        chunk.model.clone_from(&self.model);
        if let Some(usage) = chunk.usage.take() {
            self.usage = Some(usage);
        }
        if chunk.choices.is_empty() {
            self.last = Some((chunk.id, chunk.created));
            return Ok(None);
        }
        if self.finished {
            return Err(failure::malformed("a choice after its finish_reason"));
        }
        if !self.began {
            self.began = true;
            self.last = Some((chunk.id.clone(), chunk.created));
            chunk.choices[0].delta.role = Some(Role::Assistant);
        }
        self.finished = chunk.choices.iter().any(|choice| choice.finish_reason.is_some());
        Ok(Some(chunk))
    }

    /// The stream has ended: the usage chunk, if there was any usage.
    fn end(&mut self) -> Result<Option<ChatChunk>, EngineError> {
        self.over = true;
        if !self.finished {
            return Err(failure::malformed("its stream ended before the answer did"));
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
