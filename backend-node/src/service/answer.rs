//! Requests that are answered in chunks: `POST /v1/chat/completions` and `POST /v1/completions`.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::Response;
use peerway_openapi::chat::{Assembler, ChatChunk, ChatCompletion};
use peerway_openapi::completions::{Completion, CompletionChunk, TextOffsets};
use peerway_openapi::{ApiError, ErrorKind, sse};

use super::reply::{self, ReplyBody};
use super::{queued, refused};
use crate::engine::{Answer, Asked, ChunkStream, Engine, EngineError};

/// In whose words the answer is told.
enum Told {
    Chat,
    Text(TextOffsets),
}

pub(super) async fn answer(engine: &dyn Engine, asked: Asked) -> Result<Response<ReplyBody>, ApiError> {
    let told = match &asked {
        Asked::Chat(_) => Told::Chat,
        Asked::Completion(_) => Told::Text(TextOffsets::default()),
    };
    let (is_stream, wants_usage) = (asked.is_stream(), asked.wants_usage_chunk());
    let (waited, answer) = engine.answer_queued(asked).await;
    let response = match answer.map_err(|error| refused(&error))? {
        Answer::Whole(whole) => told.whole(*whole),
        Answer::Stream(chunks) if is_stream => stream(chunks, told, wants_usage).await?,
        Answer::Stream(chunks) => told.whole(assemble(chunks).await?),
    };
    Ok(queued(response, waited))
}

impl Told {
    fn whole(self, whole: ChatCompletion) -> Response<ReplyBody> {
        match self {
            Self::Chat => reply::json(&whole),
            Self::Text(mut offsets) => reply::json(&Completion::of_chat(whole, &mut offsets)),
        }
    }

    fn frame(&mut self, chunk: ChatChunk) -> Result<Bytes, serde_json::Error> {
        match self {
            Self::Chat => sse::frame(&chunk),
            Self::Text(offsets) => sse::frame(&CompletionChunk::of_chat(chunk, offsets)),
        }
    }
}

async fn assemble(mut chunks: ChunkStream) -> Result<ChatCompletion, ApiError> {
    let mut assembler = Assembler::default();
    while let Some(chunk) = chunks.try_next().await.map_err(|error| refused(&error))? {
        assembler.push(chunk);
    }
    assembler.finish().map_err(|incomplete| {
        tracing::error!(error = %incomplete, "an engine's answer has no end");
        ApiError::new(ErrorKind::Internal, "The engine's answer has no end.")
    })
}

/// Streams the chunks as events. The head waits for the first chunk: an engine that fails before it is answered with its
/// real status, and another node can be tried.
async fn stream(mut chunks: ChunkStream, told: Told, wants_usage: bool) -> Result<Response<ReplyBody>, ApiError> {
    let Some(first) = chunks.try_next().await.map_err(|error| refused(&error))? else {
        tracing::error!("an engine's stream has no chunks");
        return Err(ApiError::new(ErrorKind::Internal, "The engine gave no answer."));
    };
    let chunks = stream::iter([Ok(first)]).chain(chunks);
    let frames = stream::unfold(Some((chunks, told)), move |state| async move {
        let (mut chunks, mut told) = state?;
        loop {
            match chunks.next().await {
                Some(Ok(chunk)) if is_wanted(&chunk, wants_usage) => match told.frame(chunk) {
                    Ok(frame) => return Some((frame, Some((chunks, told)))),
                    Err(error) => {
                        return Some((broken(&EngineError::node("A chunk was lost.", error.to_string())), None));
                    }
                },
                Some(Ok(_unasked_usage)) => {}
                Some(Err(error)) => return Some((broken(&error), None)),
                None => return Some((sse::DONE_FRAME, None)),
            }
        }
    });
    Ok(reply::events(frames.boxed()))
}

/// Clients that did not ask for the usage chunk may not know what to do with a chunk without choices.
fn is_wanted(chunk: &ChatChunk, wants_usage: bool) -> bool {
    wants_usage || !chunk.choices.is_empty()
}

/// The last frame of a stream that broke: an error, and no `[DONE]` after it.
fn broken(error: &EngineError) -> Bytes {
    tracing::warn!(%error, "an answer broke after it had begun");
    sse::frame(&error.to_stream_api().envelope()).unwrap_or_default()
}
