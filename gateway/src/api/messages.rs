//! `POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's API, which coding agents speak.
//!
//! Errors have Anthropic's shape here, also those that are no matter of this API: its libraries read no other.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use peerway_openapi::messages::{CountTokensRequest, MessagesDialect, MessagesRequest, TokenCount, error_response};
use peerway_openapi::{ApiError, parse};

use super::body;
use crate::inference::{self, Ask, Caller, Work};
use crate::meter::Delivery;

/// Tells refusals of this API's paths in its words, whoever refuses.
pub async fn refuse_in_own_words(request: Request, next: Next) -> Response {
    let is_own = request.uri().path().starts_with("/v1/messages");
    let response = next.run(request).await;
    match response.extensions().get::<ApiError>() {
        Some(error) if is_own => {
            let (told, body) = error_response(error).into_parts();
            let (mut head, _) = response.into_parts();
            head.headers.extend(told.headers);
            head.headers.remove(CONTENT_LENGTH);
            Response::from_parts(head, Body::from(body))
        }
        _ => response,
    }
}

/// Lets a model answer a conversation.
pub async fn create(caller: Caller, body: Body) -> Response {
    match read(&caller, body).await {
        Ok((ask, dialect)) => inference::answer(caller, ask, Box::new(dialect)).await,
        Err(error) => error_response(&error).map(Body::from),
    }
}

async fn read(caller: &Caller, body: Body) -> Result<(Ask, MessagesDialect), ApiError> {
    let bytes = body::read(body, &caller.gateway.config).await?;
    let request: MessagesRequest = parse::json(&bytes)?;
    let chat = request.to_chat()?;
    let delivery = Delivery::of_stream(request.is_stream());
    let dialect = MessagesDialect::new(&caller.id.hex(), request);
    Ok((Ask { work: Work::Chat(Box::new(chat)), bytes: bytes.len(), delivery }, dialect))
}

/// Counts the tokens of a conversation. Costs nothing.
pub async fn count_tokens(caller: Caller, body: Body) -> Response {
    match count(&caller, body).await {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => error_response(&error).map(Body::from),
    }
}

async fn count(caller: &Caller, body: Body) -> Result<Vec<u8>, ApiError> {
    let bytes = body::read(body, &caller.gateway.config).await?;
    let request: CountTokensRequest = parse::json(&bytes)?;
    let chat = request.to_chat()?;
    let input_tokens = inference::count_prompt(caller, &chat, bytes.len())?;
    serde_json::to_vec(&TokenCount { input_tokens })
        .map_err(|cause| inference::internal("a count could not be written", &cause))
}
