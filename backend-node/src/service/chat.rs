//! `POST /v1/chat/completions`.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderName, HeaderValue, Response};
use http_body::Body;
use peerway_openapi::chat::{Assembler, ChatChunk, ChatCompletion, ChatRequest};
use peerway_openapi::{ApiError, ErrorKind, parse, sse};

use super::ServiceLimits;
use super::reply::{self, ReplyBody};
use crate::engine::{Answer, Asked, ChunkStream, Engine, EngineError};

/// Milliseconds for which a request waited for a slot, for the gateway to pass on.
const QUEUE_HEADER: HeaderName = HeaderName::from_static("x-peerway-queue-ms");

pub(super) async fn answer<B>(
    engine: &dyn Engine,
    limits: ServiceLimits,
    body: Pin<&mut B>,
) -> Result<Response<ReplyBody>, ApiError>
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    let body = read(body, limits).await?;
    let request: ChatRequest = parse::json(&body)?;
    drop(body);
    request.validate()?;
    let asked = Asked::from(request);
    let (is_stream, wants_usage) = (asked.is_stream(), asked.wants_usage_chunk());
    let (queued, answer) = engine.answer_queued(asked).await;
    let mut response = match answer.map_err(|error| refused(&error))? {
        Answer::Whole(whole) => reply::json(&whole),
        Answer::Stream(chunks) if is_stream => stream(chunks, wants_usage).await?,
        Answer::Stream(chunks) => reply::json(&assemble(chunks).await?),
    };
    let queued_ms = u64::try_from(queued.as_millis()).unwrap_or(u64::MAX);
    response.headers_mut().insert(QUEUE_HEADER, HeaderValue::from(queued_ms));
    Ok(response)
}

async fn read<B>(body: Pin<&mut B>, limits: ServiceLimits) -> Result<Bytes, ApiError>
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    let too_large = || {
        let message = format!("The body is larger than {} bytes.", limits.max_body);
        ApiError::new(ErrorKind::BodyTooLarge, message)
    };
    // What a client announces is refused before it is read.
    let most = u64::try_from(limits.max_body).unwrap_or(u64::MAX);
    if body.size_hint().lower() > most {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(limits.body_timeout, collect(body, limits.max_body)).await;
    match collected {
        Ok(Ok(Some(collected))) => Ok(collected),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(error)) => {
            Err(ApiError::new(ErrorKind::InvalidRequest, format!("The body could not be read: {error}.")))
        }
        Err(_elapsed) => Err(ApiError::new(ErrorKind::RequestTimeout, "The body did not arrive in time.")),
    }
}

/// The whole body, None where it is larger than the bound. By hand: the errors of `http_body_util::Limited` are boxed in
/// a way that keeps futures around it from being sent between threads.
async fn collect<B>(mut body: Pin<&mut B>, max: usize) -> Result<Option<Bytes>, B::Error>
where
    B: Body<Data = Bytes> + Send,
{
    let mut collected = BytesMut::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let Ok(data) = frame?.into_data() else { continue };
        if collected.len() + data.len() > max {
            return Ok(None);
        }
        if collected.is_empty() && body.is_end_stream() {
            return Ok(Some(data));
        }
        collected.extend_from_slice(&data);
    }
    Ok(Some(collected.freeze()))
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
async fn stream(mut chunks: ChunkStream, wants_usage: bool) -> Result<Response<ReplyBody>, ApiError> {
    let Some(first) = chunks.try_next().await.map_err(|error| refused(&error))? else {
        tracing::error!("an engine's stream has no chunks");
        return Err(ApiError::new(ErrorKind::Internal, "The engine gave no answer."));
    };
    let chunks = stream::iter([Ok(first)]).chain(chunks);
    let frames = stream::unfold(Some(chunks), move |chunks| async move {
        let mut chunks = chunks?;
        loop {
            match chunks.next().await {
                Some(Ok(chunk)) if is_wanted(&chunk, wants_usage) => match sse::frame(&chunk) {
                    Ok(frame) => return Some((frame, Some(chunks))),
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

fn refused(error: &EngineError) -> ApiError {
    match error {
        EngineError::Failed { .. } => tracing::warn!(%error, "a request failed"),
        _ => tracing::debug!(%error, "a request was refused"),
    }
    error.to_api()
}
