//! `/v1/responses`: making a response, whole, streamed or in the background, and what may be done with one that is kept.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response as HttpResponse};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use peerway_openapi::responses::{
    CreateResponse, DeletedResponse, ItemList, Order, Response, ResponseError, ResponseStatus, ResponsesDialect,
};
use peerway_openapi::{ApiError, Dialect, ErrorKind, parse};
use serde::{Deserialize, Serialize};

use super::body;
use super::extract::{Asked, PathPart};
use crate::inference::{self, Ask, Caller, Generation, Work, begin_stream, event_stream};
use crate::meter::Delivery;
use crate::responses::{Keep, Keeping, Running};

/// `POST /v1/responses`.
pub async fn create(caller: Caller, body: Body) -> HttpResponse {
    match read(&caller, body).await {
        Ok(Request { request, ask, telling }) if request.is_background() => {
            in_background(caller, request.is_stream(), ask, telling).await.unwrap_or_else(refuse)
        }
        Ok(Request { ask, telling, .. }) => inference::answer(caller, ask, Box::new(telling)).await,
        Err(error) => refuse(error),
    }
}

struct Request {
    request: CreateResponse,
    ask: Ask,
    telling: Keeping,
}

async fn read(caller: &Caller, body: Body) -> Result<Request, ApiError> {
    let bytes = body::read(body, &caller.gateway.config).await?;
    let request: CreateResponse = parse::json(&bytes)?;
    request.validate()?;
    let (store, account) = (&caller.gateway.responses, &caller.principal.account);
    let history = match &request.previous_response_id {
        Some(id) => tokio::task::block_in_place(|| store.history(account, id))?,
        None => Vec::new(),
    };
    let said: usize = history.iter().map(|message| message.joined_text().len()).sum();
    let chat = request.to_chat(history)?;
    let id = caller.id.hex();
    let keep = request.is_stored().then(|| Keep {
        store: Arc::clone(store),
        account: account.clone(),
        input: request.items(&id),
    });
    let telling = Keeping::new(ResponsesDialect::new(&request, &id, caller.id.unix_seconds()), keep);
    let delivery = Delivery::of_stream(request.is_stream() || request.is_background());
    let ask = Ask { work: Work::Chat(Box::new(chat)), bytes: bytes.len() + said, delivery };
    Ok(Request { request, ask, telling })
}

async fn in_background(caller: Caller, is_stream: bool, ask: Ask, telling: Keeping) -> Result<HttpResponse, ApiError> {
    let (gateway, account) = (Arc::clone(&caller.gateway), caller.principal.account.clone());
    gateway.work.room()?;
    let generation = Generation::admit(caller, ask).await?;
    let queued = telling.change(|response| {
        response.serves(generation.model());
        response.queued();
    });
    let frames = begin_stream(generation, Box::new(telling.clone()), gateway.config.keep_alive());
    let running = gateway.background.begin(&gateway.work, account, telling, frames)?;
    if is_stream {
        return Ok(event_stream(HeaderMap::new(), running.events(0)));
    }
    Ok(respond(&queued))
}

/// How a kept response is asked for.
#[derive(Debug, Deserialize)]
pub struct Retrieval {
    /// Whether its events are to be streamed again.
    #[serde(default)]
    stream: bool,
    /// The sequence number of the last event that the caller has. None: none.
    starting_after: Option<usize>,
}

/// `GET /v1/responses/{id}`.
pub async fn show(caller: Caller, PathPart(id): PathPart, Asked(query): Asked<Retrieval>) -> HttpResponse {
    let running = caller.gateway.background.get(&caller.principal.account, &id);
    match (running, query.stream) {
        (Some(running), true) => {
            let from = query.starting_after.map_or(0, |last| last.saturating_add(1));
            event_stream(HeaderMap::new(), running.events(from))
        }
        (Some(running), false) => respond(&running.response()),
        (None, true) => {
            let message =
                "Only the events of a response in the background can be read again, until ten minutes after its end.";
            refuse(ApiError::invalid("stream", message))
        }
        (None, false) => kept(&caller, &id).map_or_else(refuse, |response| respond(&response)),
    }
}

/// `DELETE /v1/responses/{id}`.
pub async fn delete(caller: Caller, PathPart(id): PathPart) -> HttpResponse {
    let account = &caller.principal.account;
    caller.gateway.background.forget(account, &id);
    let deleted = tokio::task::block_in_place(|| caller.gateway.responses.delete(account, &id));
    deleted.map_or_else(refuse, |()| respond(&DeletedResponse::new(id)))
}

/// `POST /v1/responses/{id}/cancel`.
pub async fn cancel(caller: Caller, PathPart(id): PathPart) -> HttpResponse {
    let running = caller.gateway.background.get(&caller.principal.account, &id);
    let cancelled = match running.as_ref().map(Running::cancel) {
        Some(response) => Ok(response),
        None => kept(&caller, &id).and_then(|response| {
            let message = "Only a response in the background can be cancelled.";
            if response.background { Ok(response) } else { Err(ApiError::new(ErrorKind::InvalidRequest, message)) }
        }),
    };
    cancelled.map_or_else(refuse, |response| respond(&response))
}

/// Items of a page, as OpenAI has it.
const DEFAULT_PAGE: usize = 20;

/// Which input items are asked for.
#[derive(Debug, Deserialize)]
pub struct Page {
    /// The id of the last item that the caller has. None: none.
    after: Option<String>,
    /// Items, 1 to 100. None: 20.
    limit: Option<usize>,
    /// None: the newest first.
    order: Option<Order>,
}

/// `GET /v1/responses/{id}/input_items`.
pub async fn input_items(caller: Caller, PathPart(id): PathPart, Asked(page): Asked<Page>) -> HttpResponse {
    let stored = tokio::task::block_in_place(|| caller.gateway.responses.get(&caller.principal.account, &id));
    let listed = stored.and_then(|stored| {
        let limit = page.limit.unwrap_or(DEFAULT_PAGE);
        ItemList::page(stored.input, page.after.as_deref(), limit, page.order.unwrap_or_default())
    });
    listed.map_or_else(refuse, |list| respond(&list))
}

/// A response that has ended. One that has not, and is not being made, was being made when the gateway was killed.
fn kept(caller: &Caller, id: &str) -> Result<Response, ApiError> {
    let (store, account) = (&caller.gateway.responses, &caller.principal.account);
    let mut response = tokio::task::block_in_place(|| store.get(account, id))?.response;
    if !response.status.is_final() {
        let error = ApiError::new(ErrorKind::ShuttingDown, "The gateway was stopped before this response was made.");
        (response.status, response.error) = (ResponseStatus::Failed, Some(ResponseError::from(&error)));
    }
    Ok(response)
}

fn respond(value: &impl Serialize) -> HttpResponse {
    match serde_json::to_vec(value) {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(cause) => refuse(inference::internal("a response could not be written", &cause)),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the end of a chain that owns its error")]
fn refuse(error: ApiError) -> HttpResponse {
    error.response().map(Body::from)
}
