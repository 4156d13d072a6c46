//! `POST /v1/chat/completions`.

use axum::body::Body;
use axum::response::Response;
use peerway_openapi::chat::{ChatChunk, ChatDialect, ChatRequest};
use peerway_openapi::{ApiError, parse};

use super::body;
use crate::inference::{self, Ask, Caller, Work};
use crate::meter::Delivery;

/// Lets a model go on with a conversation.
pub async fn create(caller: Caller, body: Body) -> Response {
    match read(&caller, body).await {
        Ok((ask, dialect)) => inference::answer(caller, ask, Box::new(dialect)).await,
        Err(error) => error.response().map(Body::from),
    }
}

async fn read(caller: &Caller, body: Body) -> Result<(Ask, ChatDialect), ApiError> {
    let bytes = body::read(body, &caller.gateway.config).await?;
    let request: ChatRequest = parse::json(&bytes)?;
    request.validate()?;
    let head = ChatChunk::empty(format!("chatcmpl-{}", caller.id), caller.id.unix_seconds(), &request.model);
    let dialect = ChatDialect::new(head, request.wants_usage_chunk());
    let delivery = Delivery::of_stream(request.is_stream());
    Ok((Ask { work: Work::Chat(Box::new(request)), bytes: bytes.len(), delivery }, dialect))
}
