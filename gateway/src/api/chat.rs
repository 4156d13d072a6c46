//! The life of one request: `POST /v1/chat/completions`.
//!
//! Read [`create`] from top to bottom. Each step has a file of its own; what is in doubt between two steps is settled by
//! a guard: the hold gives itself back unless it is captured, and the answer settles its bill when it is dropped.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use peerway_billing::{
    AdmitError, Admitted, IdError, OperatorId, Price, RequestId as BillingId, TokenCount, affordable_completion,
};
use peerway_openapi::chat::{Assembler, ChatChunk, ChatCompletion, ChatRequest};
use peerway_openapi::{ApiError, ErrorKind, parse, sse};
use tracing::{error, warn};

use super::body;
use crate::Gateway;
use crate::auth::Principal;
use crate::catalog::CatalogModel;
use crate::dispatch::{Attempts, Dispatched, Timeouts, dispatch, request_for_nodes};
use crate::estimate::{Estimate, insufficient_credit};
use crate::layers::RequestId;
use crate::meter::{AnswerCount, Bill, Delivery, MeteredAnswer, Seller, Step};
use crate::route::{Need, Pick, Refusal, rank};

/// `POST /v1/chat/completions`.
pub async fn create(
    State(gateway): State<Arc<Gateway>>,
    Extension(principal): Extension<Arc<Principal>>,
    Extension(id): Extension<RequestId>,
    request: axum::extract::Request,
) -> Response {
    let started = Instant::now();
    match answer(&gateway, &principal, id, request.into_body(), started).await {
        Ok(response) => response,
        Err(error) => error.response().map(Body::from),
    }
}

async fn answer(
    gateway: &Gateway,
    principal: &Principal,
    id: RequestId,
    body: Body,
    started: Instant,
) -> Result<Response, ApiError> {
    // Parse: once, into typed fields.
    let bytes = body::read(body, gateway.config.max_body_bytes, gateway.config.body_timeout()).await?;
    let request: ChatRequest = parse::json(&bytes)?;
    request.validate()?;
    let model = gateway.catalog.get(&request.model).ok_or_else(|| model_not_found(&request.model))?;

    // Estimate: what it may use at most.
    let estimate = Estimate::of(&request, bytes.len(), &model, gateway.config.default_max_tokens)?;

    // Pick: the nodes to try, cheapest first.
    let picks = pick(gateway, &model, &estimate)?;
    let dearest = dearest(&picks);

    // Admit: no hold, no request.
    let hold = admit(gateway, principal, id, &estimate, &dearest).await?;
    let prompt = TokenCount::new(estimate.prompt, 0, 0);
    let limit = affordable_completion(&dearest, gateway.fee, prompt, hold.amount()).min(estimate.completion);

    // Dispatch: until one node begins to answer. A failure here drops the bill and its hold, which gives it back.
    let sent =
        request_for_nodes(&request, limit).map_err(|cause| internal("a request could not be written", &cause))?;
    let mut bill = Bill::new(hold, principal.key.clone(), request.model.clone(), gateway.fee, estimate.prompt);
    let gateway_time = started.elapsed();
    metrics::histogram!("peerway_gateway_seconds").record(gateway_time);
    let timeouts = Timeouts { first_token: Duration::from_secs(gateway.config.first_token_timeout_s) };
    let patience = Duration::from_secs(gateway.config.next_token_timeout_s);
    let delivery = if request.is_stream() { Delivery::Streamed } else { Delivery::Whole };
    let mut attempts = Attempts::new(picks);
    loop {
        let dispatched = dispatch(gateway.peers.client(), &mut attempts, &sent, limit, timeouts).await?;

        // Meter and capture: from here on the answer settles its own bill.
        let seller = seller(&dispatched.pick)?;
        let headers = peerway_headers(&dispatched, &seller.node, gateway_time);
        let count = AnswerCount::new(model.counter(), limit);
        let name = (id, request.model.clone());
        let metered = MeteredAnswer::new(dispatched.answer, seller, bill, count, name, (delivery, patience));
        let mut response = match delivery {
            Delivery::Streamed => streamed(metered, request.wants_usage_chunk()),
            Delivery::Whole => match whole(metered).await {
                Ok(response) => response,
                // The caller has seen nothing yet: another node may still answer.
                Err(broken) if attempts.are_used_up() => return Err(broken.error),
                Err(broken) => {
                    bill = broken.bill;
                    continue;
                }
            },
        };
        response.headers_mut().extend(headers);
        return Ok(response);
    }
}

/// A whole answer that broke before its end, and the bill that is still to be earned.
struct Broken {
    error: ApiError,
    bill: Bill,
}

fn pick(gateway: &Gateway, model: &CatalogModel, estimate: &Estimate) -> Result<Vec<Pick>, ApiError> {
    let snapshot = gateway.peers.directory().snapshot();
    let need = Need {
        prompt: estimate.prompt,
        completion: estimate.completion,
        price_cap: model.price_cap,
        now_ms: gateway.peers.directory().now_ms(),
    };
    rank(snapshot.candidates(&model.card.id), &need, &[]).map_err(|refusal| {
        let id = &model.card.id;
        let message = match refusal {
            Refusal::NotOffered => format!("No node serves `{id}` at the moment. Try again."),
            Refusal::TooDear => format!("Every node that serves `{id}` asks more than this gateway pays. Try again."),
            Refusal::NoneHealthy => format!("No node that serves `{id}` is healthy at the moment. Try again."),
            Refusal::ContextTooShort => {
                let message = format!("The messages have {} tokens, more than any node serves.", estimate.prompt);
                return ApiError::new(ErrorKind::ContextLengthExceeded, message).at("messages");
            }
        };
        ApiError::new(ErrorKind::NoHealthyNode, message)
    })
}

/// The highest price that this request may pay, whichever of the picks serves it.
fn dearest(picks: &[Pick]) -> Price {
    picks.iter().fold(Price::default(), |dearest, pick| Price {
        input: dearest.input.max(pick.price.input),
        cached_input: dearest.cached_input.max(pick.price.cached_input),
        output: dearest.output.max(pick.price.output),
    })
}

async fn admit(
    gateway: &Gateway,
    principal: &Principal,
    id: RequestId,
    estimate: &Estimate,
    dearest: &Price,
) -> Result<Admitted, ApiError> {
    let too_dear = |cause| internal("a request's price does not fit the ledger", &cause);
    let amount = estimate.amount(dearest, gateway.fee).map_err(too_dear)?;
    let request = BillingId::new(id.to_string()).map_err(|cause| internal("a request id is no id", &cause))?;
    gateway.till.admit(request, &principal.account, amount).await.map_err(|refusal| match refusal {
        AdmitError::Insufficient { needed, available } => insufficient_credit(needed, available),
        AdmitError::Frozen(_) => {
            ApiError::new(ErrorKind::AccountFrozen, "This account is frozen. Ask who runs this gateway.")
        }
        cause => {
            error!(%cause, "a request could not be admitted");
            ApiError::new(ErrorKind::LedgerUnavailable, "Credit cannot be checked at the moment. Try again.")
        }
    })
}

fn seller(pick: &Pick) -> Result<Seller, ApiError> {
    let node = pick.candidate.peer_id().to_string();
    let operator = payee(pick.candidate.operator(), &node).map_err(|cause| internal("a peer id is no id", &cause))?;
    Ok(Seller { node, operator, price: pick.price })
}

/// Who is paid: the operator that the node names, or the node itself where it names none or one that no account can
/// have. A name is a node's own word, so a bad one must not cost the caller an answer.
fn payee(operator: Option<&str>, node: &str) -> Result<OperatorId, IdError> {
    operator.map_or_else(|| OperatorId::new(node), |name| OperatorId::new(name).or_else(|_| OperatorId::new(node)))
}

fn streamed(metered: MeteredAnswer, with_usage: bool) -> Response {
    let frames = stream::unfold(Some(metered), move |metered| async move {
        let mut metered = metered?;
        let (frame, is_last) = match metered.next().await? {
            Step::Chunk(chunk) => (framed(&chunk), false),
            Step::End(usage) => {
                let last = ChatChunk { usage: Some(usage), ..metered.head().clone() };
                let usage_frame = if with_usage { framed(&last) } else { Bytes::new() };
                (Bytes::from([usage_frame, sse::DONE_FRAME].concat()), true)
            }
            Step::Broken(error) => (framed(&error.envelope()), true),
        };
        Some((Ok::<_, Infallible>(frame), (!is_last).then_some(metered)))
    });
    let mut response = Response::new(Body::from_stream(frames));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // nginx holds streams back otherwise.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

async fn whole(mut metered: MeteredAnswer) -> Result<Response, Broken> {
    let mut assembler = Assembler::default();
    let usage = loop {
        match metered.next().await {
            Some(Step::Chunk(chunk)) => assembler.push(chunk),
            Some(Step::End(usage)) => break usage,
            Some(Step::Broken(error)) => return Err(Broken { error, bill: metered.take_bill() }),
            None => {
                let error = ApiError::new(ErrorKind::NodeFailed, "The node's answer ended early. Try again.");
                return Err(Broken { error, bill: metered.take_bill() });
            }
        }
    };
    let provider = metered.head().provider.clone();
    let written = assembler.finish().map_err(|cause| internal("an answer ended without its end", &cause)).and_then(
        |completion| {
            let completion = ChatCompletion { usage: Some(usage), provider, ..completion };
            serde_json::to_vec(&completion).map_err(|cause| internal("an answer could not be written", &cause))
        },
    );
    let json = written.map_err(|error| Broken { error, bill: metered.take_bill() })?;
    let mut response = Response::new(Body::from(json));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn framed(value: &impl serde::Serialize) -> Bytes {
    sse::frame(value).unwrap_or_else(|cause| {
        warn!(%cause, "a frame could not be written");
        Bytes::new()
    })
}

/// Who serves, at which price, and where the time went.
fn peerway_headers(dispatched: &Dispatched, node: &str, gateway_time: Duration) -> HeaderMap {
    let price = &dispatched.pick.price;
    let micros = gateway_time.as_micros();
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("x-peerway-node", node.to_owned());
    set("x-peerway-price-input", super::models::usd_per_million(price.input));
    set("x-peerway-price-output", super::models::usd_per_million(price.output));
    set("x-peerway-queue-ms", dispatched.queue_ms.unwrap_or(0).to_string());
    set("x-peerway-gateway-ms", format!("{}.{:03}", micros / 1000, micros % 1000));
    set("x-peerway-attempts", (dispatched.failed_attempts + 1).to_string());
    headers
}

fn model_not_found(id: &str) -> ApiError {
    let shown: String = id.chars().take(128).collect();
    let message = format!("There is no model `{shown}` here. GET /v1/models lists those there are.");
    ApiError::new(ErrorKind::ModelNotFound, message).at("model")
}

fn internal(what: &str, cause: &dyn std::fmt::Display) -> ApiError {
    error!(%cause, what, "a fault of the gateway");
    ApiError::new(ErrorKind::Internal, "The gateway made a mistake. You were not charged; try again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_with_an_unusable_operator_is_paid_itself() {
        let paid = |operator| payee(operator, "12D3KooW").unwrap().to_string();
        assert_eq!(paid(Some("alice")), "alice");
        for unusable in [None, Some("two words"), Some("\u{e4}")] {
            assert_eq!(paid(unusable), "12D3KooW", "{unusable:?}");
        }
    }
}
