//! Where a request with a name of its own is served once.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures::StreamExt;
use http::{HeaderName, HeaderValue};
use http_body_util::BodyExt;
use peerway_openapi::{ApiError, ErrorKind};
use tracing::error;

use super::key::{Fingerprint, RequestKey};
use super::recording::{Recorded, Recording};
use super::shelf::{Claim, Shelf};
use crate::Gateway;
use crate::access::Principal;
use crate::api::body;
use crate::inference::Ending;
use crate::layers::RequestId;

/// Tells a caller that it got an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("x-peerway-replayed");

/// Serves a request; one with an `Idempotency-Key` once.
pub async fn answer_once(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let account = request.extensions().get::<Arc<Principal>>().map(|principal| principal.account.clone());
    let key = account.map_or(Ok(None), |account| RequestKey::of(request.headers(), &account));
    match key {
        Ok(None) => next.run(request).await,
        Ok(Some(key)) => {
            named(&gateway, key, request, next).await.unwrap_or_else(|error| error.response().map(Body::from))
        }
        Err(error) => error.response().map(Body::from),
    }
}

async fn named(gateway: &Arc<Gateway>, key: RequestKey, request: Request, next: Next) -> Result<Response, ApiError> {
    gateway.work.room()?;
    let (parts, body) = request.into_parts();
    let bytes = body::read(body, &gateway.config).await?;
    let fingerprint = Fingerprint::of(&parts.uri, &bytes);
    let id = parts.extensions.get::<RequestId>().copied().unwrap_or_else(RequestId::random);
    let shelf = Arc::clone(&gateway.shelf);
    match tokio::task::block_in_place(|| shelf.claim(&key, &fingerprint, id)).map_err(|cause| unavailable(&cause))? {
        Claim::Taken => {
            let message = "This Idempotency-Key was used for another request in the last 24 hours. Take a new one.";
            Err(ApiError::new(ErrorKind::IdempotencyMismatch, message).at("Idempotency-Key"))
        }
        Claim::Served(answer) => Ok(replay(answer)),
        Claim::Running(recording) => read_along(&recording).await,
        Claim::First(id, recording) => {
            let mut request = Request::from_parts(parts, Body::from(bytes));
            request.extensions_mut().insert(id);
            let writer = Arc::clone(&recording);
            // In a task of its own: it goes on when the caller leaves.
            gateway.work.begin(async move {
                let guard = Settled { shelf, key, id, fingerprint, recording: writer };
                record(next.run(request).await, id, &guard.recording).await;
            });
            read_along(&recording).await
        }
    }
}

/// Puts the record where it belongs, also where serving panicked.
struct Settled {
    shelf: Arc<Shelf>,
    key: RequestKey,
    id: RequestId,
    fingerprint: Fingerprint,
    recording: Arc<Recording>,
}

impl Drop for Settled {
    fn drop(&mut self) {
        // Nothing where it ended as it should.
        self.recording.end(self.recording.whole().is_none());
        self.shelf.settle(&self.key, self.id, &self.fingerprint, &self.recording);
    }
}

async fn record(response: Response, id: RequestId, recording: &Recording) {
    let (mut head, mut body) = response.into_parts();
    let ending = head.extensions.remove::<Ending>();
    id.name(&mut head.headers);
    recording.head(head.status, head.headers);
    while let Some(frame) = body.frame().await {
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(data)) => recording.push(data),
            Ok(Err(_trailers)) => {}
            Err(_broken) => return recording.end(true),
        }
    }
    if ending.is_some_and(|ending| ending.is_broken()) {
        recording.spoil();
    }
    recording.end(false);
}

async fn read_along(recording: &Arc<Recording>) -> Result<Response, ApiError> {
    let Some((status, headers)) = recording.wait_for_head().await else {
        return Err(ApiError::new(ErrorKind::Internal, "The gateway made a mistake. You were not charged; try again."));
    };
    let mut response = Response::new(Body::from_stream(recording.frames(0).boxed()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn replay(answer: Recorded) -> Response {
    let mut response = Response::new(Body::from(answer.body.concat()));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

fn unavailable(cause: &std::io::Error) -> ApiError {
    error!(%cause, "the folder of kept answers cannot be used");
    ApiError::new(ErrorKind::LedgerUnavailable, "Idempotency-Key cannot be followed at the moment. Try again.")
}
