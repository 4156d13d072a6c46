//! The answer in the caller's words.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, Stream, StreamExt};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use peerway_openapi::dialect::Unwritable;
use peerway_openapi::{ApiError, Dialect, ErrorKind};
use tracing::warn;

use super::generation::Begun;
use super::{Ask, Caller, Generation, internal};
use crate::meter::{Delivery, MeteredAnswer, Step};

/// Answers a request: whole, or as a stream whose head waits for the first piece, so that a failure before it has its
/// real status.
pub async fn answer(caller: Caller, ask: Ask, mut dialect: Box<dyn Dialect>) -> Response {
    let (delivery, keep_alive) = (ask.delivery, caller.gateway.config.keep_alive());
    let generation = match Generation::admit(caller, ask).await {
        Ok(generation) => generation,
        Err(error) => return dialect.refusal(&error).map(Body::from),
    };
    dialect.prompt(generation.prompt_tokens());
    dialect.serves(generation.model());
    match delivery {
        Delivery::Streamed => stream_reply(generation, dialect, keep_alive).await,
        Delivery::Whole => {
            let told = generation.whole().await.and_then(|(headers, completion)| {
                dialect.serves(&completion.model);
                let json = dialect.whole(completion);
                Ok((headers, json.map_err(|cause| internal("an answer could not be written", &cause))?))
            });
            match told {
                Ok((headers, json)) => json_response(headers, json),
                Err(error) => dialect.refusal(&error).map(Body::from),
            }
        }
    }
}

/// A stream that begins when its first piece is there. Where that takes long, the head goes out before, and comments keep
/// proxies from cutting a connection that says nothing; a failure is then told inside the stream.
async fn stream_reply(mut generation: Generation, dialect: Box<dyn Dialect>, keep_alive: Duration) -> Response {
    let early = generation.early_headers();
    let mut begins: BoxFuture<'static, Result<Begun, ApiError>> = async move { generation.begin().await }.boxed();
    match tokio::time::timeout(keep_alive, &mut begins).await {
        Ok(Err(error)) => dialect.refusal(&error).map(Body::from),
        Ok(Ok(Begun { headers, answer })) => told(headers, dialect, Stage::Opening(answer), keep_alive),
        Err(_) => told(early, dialect, Stage::Beginning(begins), keep_alive),
    }
}

fn told(headers: HeaderMap, dialect: Box<dyn Dialect>, stage: Stage, keep_alive: Duration) -> Response {
    let ending = Ending::default();
    let telling = Telling { dialect, stage, keep_alive, ending: ending.clone() };
    let mut response = event_stream(headers, frames(telling));
    response.extensions_mut().insert(ending);
    response
}

/// The frames of a request that is still to begin, for an answer that nobody may be waiting for: what can be told before
/// it begins is told at once.
pub fn begin_stream(
    mut generation: Generation,
    mut dialect: Box<dyn Dialect>,
    keep_alive: Duration,
) -> impl Stream<Item = Bytes> + Send + 'static {
    let opening = dialect.open().unwrap_or_default();
    let begins = async move { generation.begin().await }.boxed();
    let telling = Telling { dialect, stage: Stage::Beginning(begins), keep_alive, ending: Ending::default() };
    stream::iter([opening]).chain(frames(telling))
}

/// How a stream ended, for who keeps it: its status was told long before.
#[derive(Debug, Clone, Default)]
pub struct Ending(Arc<AtomicBool>);

impl Ending {
    /// Whether it broke. Known at its end.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// An answer being told.
struct Telling {
    dialect: Box<dyn Dialect>,
    stage: Stage,
    keep_alive: Duration,
    ending: Ending,
}

enum Stage {
    /// No node has begun to answer.
    Beginning(BoxFuture<'static, Result<Begun, ApiError>>),
    /// One has; the caller was told nothing yet.
    Opening(MeteredAnswer),
    /// Pieces come.
    Answering(MeteredAnswer),
    /// All is said.
    Over,
}

fn frames(telling: Telling) -> impl Stream<Item = Bytes> + Send + 'static {
    stream::unfold(telling, |mut telling| async move {
        loop {
            let frame = telling.next().await?;
            if !frame.is_empty() {
                return Some((frame, telling));
            }
        }
    })
}

impl Telling {
    /// The next frame, which may be empty. None at the end.
    async fn next(&mut self) -> Option<Bytes> {
        match &mut self.stage {
            Stage::Over => None,
            Stage::Beginning(begins) => match tokio::time::timeout(self.keep_alive, begins).await {
                Err(_) => Some(self.dialect.keep_alive()),
                Ok(Ok(begun)) => {
                    self.stage = Stage::Opening(begun.answer);
                    Some(Bytes::new())
                }
                Ok(Err(error)) => Some(self.fail(&error)),
            },
            Stage::Opening(_) => {
                if let Stage::Opening(answer) = std::mem::replace(&mut self.stage, Stage::Over) {
                    self.dialect.serves(&answer.head().model);
                    self.stage = Stage::Answering(answer);
                }
                Some(self.written(|dialect| dialect.open()))
            }
            Stage::Answering(answer) => match tokio::time::timeout(self.keep_alive, answer.next()).await {
                Err(_) => Some(self.dialect.keep_alive()),
                Ok(Some(Step::Chunk(chunk))) => Some(self.written(|dialect| dialect.piece(chunk))),
                Ok(Some(Step::End(usage))) => {
                    self.stage = Stage::Over;
                    Some(self.written(|dialect| dialect.end(usage)))
                }
                Ok(Some(Step::Broken(error))) => Some(self.fail(&error)),
                Ok(None) => None,
            },
        }
    }

    fn fail(&mut self, error: &ApiError) -> Bytes {
        self.stage = Stage::Over;
        self.ending.0.store(true, Ordering::Release);
        self.dialect.broken(error).unwrap_or_default()
    }

    /// Frames, or the end of a stream that cannot go on: after a gap what follows would be told wrong.
    fn written(&mut self, frames: impl FnOnce(&mut dyn Dialect) -> Result<Bytes, Unwritable>) -> Bytes {
        match frames(self.dialect.as_mut()) {
            Ok(frames) => frames,
            Err(cause) => {
                warn!(%cause, "a frame could not be written");
                let message = "The answer cannot be told in the words of this API. Only what you received is charged.";
                self.fail(&ApiError::new(ErrorKind::StreamBroken, message))
            }
        }
    }
}

/// A response of server-sent events.
pub fn event_stream(headers: HeaderMap, frames: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let mut response = Response::new(Body::from_stream(frames.map(Ok::<_, Infallible>)));
    *response.headers_mut() = headers;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // nginx holds streams back otherwise.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn json_response(headers: HeaderMap, json: Bytes) -> Response {
    let mut response = Response::new(Body::from(json));
    *response.headers_mut() = headers;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
