//! The layers that every HTTP request passes, in their order, and the routes behind them.
//!
//! What happens to an inference request after its key is known (estimate, pick, admit, dispatch, meter, capture) is not
//! a layer but plain steps, [`crate::inference`]: each step needs the typed result of the one before,
//! and a reader needs them in one place.

use std::any::Any;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use http::{Request, Response};
use peerway_openapi::{ApiError, ErrorKind};
use tower::ServiceBuilder;
use tower::util::{BoxCloneSyncService, option_layer};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::error;

use crate::idempotency::answer_once;
use crate::layers::{
    AccessLogLayer, InFlightLimitLayer, RequestIdLayer, cors, limit_rate, require_inference, require_key,
};
use crate::{Gateway, api};

/// The whole HTTP service.
pub type HttpService = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// Builds the service.
pub fn http_service(gateway: &Arc<Gateway>) -> HttpService {
    let layers = ServiceBuilder::new()
        // First, so that every answer can be asked about by name, even one that is refused.
        .layer(RequestIdLayer)
        // Outside all that can refuse, so that each refusal is counted and logged.
        .layer(AccessLogLayer)
        // Outside all that can refuse as well: a page that may not read a refusal cannot tell its user why.
        .layer(option_layer(cors(&gateway.config.cors_origins)))
        // A fault of ours becomes a 500 in OpenAI's shape, and is logged above.
        .layer(CatchPanicLayer::custom(answer_panic))
        // Before any work: what does not fit is refused while it is still cheap.
        .layer(InFlightLimitLayer::new(gateway.config.max_in_flight));
    let service = layers.service(routes(gateway).into_service());
    BoxCloneSyncService::new(service)
}

fn routes(gateway: &Arc<Gateway>) -> Router {
    let inference = Router::new()
        .route("/v1/chat/completions", post(api::chat::create))
        .route("/v1/completions", post(api::completions::create))
        .route("/v1/embeddings", post(api::embeddings::create))
        .route("/v1/responses", post(api::responses::create))
        .route("/v1/messages", post(api::messages::create))
        .route("/v1/messages/count_tokens", post(api::messages::count_tokens))
        // Behind the key, because a name is of one account; before all work, because it is to be done once.
        .route_layer(from_fn_with_state(Arc::clone(gateway), answer_once))
        // Before names are looked at: an answer that is given again is asked for again.
        .route_layer(from_fn_with_state(Arc::clone(gateway), limit_rate));
    // To look at an answer is not to ask for one.
    let kept = Router::new()
        .route("/v1/responses/{id}", get(api::responses::show).delete(api::responses::delete))
        .route("/v1/responses/{id}/input_items", get(api::responses::input_items))
        .route("/v1/responses/{id}/cancel", post(api::responses::cancel));
    let answers = inference
        .merge(kept)
        // Who may not ask at all is not told how fast.
        .route_layer(from_fn(require_inference));
    let read = Router::new()
        .route("/v1/models", get(api::models::list))
        .route("/v1/models/{*id}", get(api::models::show))
        .route("/v1/auth/tokens", post(api::tokens::create))
        .route("/v1/credits", get(api::account::credits))
        .route("/v1/key", get(api::account::key))
        .route("/v1/generation", get(api::account::generation))
        .route("/v1/usage", get(api::usage::list))
        .route("/v1/ledger/checkpoint", get(api::ledger::checkpoint))
        .route("/v1/ledger/proof", get(api::ledger::proof));
    // Each of these asks for a scope of its own, and says which.
    let admin = Router::new()
        .route("/v1/admin/keys", get(api::admin::keys::list).post(api::admin::keys::create))
        .route(
            "/v1/admin/keys/{id}",
            get(api::admin::keys::show).patch(api::admin::keys::update).delete(api::admin::keys::revoke),
        )
        .route("/v1/admin/keys/{id}/rotate", post(api::admin::keys::rotate))
        .route("/v1/admin/members", get(api::admin::members::list))
        .route(
            "/v1/admin/members/{subject}",
            get(api::admin::members::show).put(api::admin::members::put).delete(api::admin::members::remove),
        )
        .route("/v1/admin/audit", get(api::admin::audit::list))
        .route(
            "/v1/admin/alerts",
            get(api::admin::alerts::show).put(api::admin::alerts::put).delete(api::admin::alerts::remove),
        );
    let billing = Router::new()
        .route("/v1/billing/checkout", post(api::billing::checkout))
        .route("/v1/billing/portal", post(api::billing::portal))
        .route("/v1/billing/topup", get(api::billing::top_up).put(api::billing::set_top_up))
        .route("/v1/billing/payments", get(api::billing::list_payments))
        .route("/v1/billing/refunds", get(api::billing::list_refunds).post(api::billing::refund));
    let known = answers
        .merge(read)
        .merge(billing)
        .merge(admin)
        // Who asks, before anything of the body is read.
        .route_layer(from_fn_with_state(Arc::clone(gateway), require_key))
        // Outside all that can refuse on a path: its callers read errors in the words of its API alone.
        .route_layer(from_fn(api::messages::refuse_in_own_words));
    let open = Router::new()
        // Signed by who sends it, over the bytes as they come.
        .route("/v1/webhooks/stripe", post(api::webhooks::stripe))
        .route("/health", get(api::probes::health))
        .route("/ready", get(api::probes::ready))
        .route("/metrics", get(api::probes::metrics))
        .route("/openapi.json", get(api::document::show))
        .route("/docs", get(api::document::enter))
        .route("/docs/", get(api::document::index))
        .route("/docs/{*path}", get(api::document::asset));
    known
        .merge(open)
        .method_not_allowed_fallback(|| async {
            refuse(ErrorKind::MethodNotAllowed, "This path does not take this method.")
        })
        .fallback(|| async { refuse(ErrorKind::UnknownPath, "There is no such path. GET /openapi.json lists them.") })
        .with_state(Arc::clone(gateway))
}

fn refuse(kind: ErrorKind, message: &str) -> Response<Body> {
    ApiError::new(kind, message).response().map(Body::from)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is tower-http's")]
fn answer_panic(panic: Box<dyn Any + Send>) -> Response<Body> {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    error!(panic = text.unwrap_or("no message"), "a request met a fault of the gateway");
    metrics::counter!("peerway_panics_total").increment(1);
    refuse(ErrorKind::Internal, "The gateway made a mistake. You were not charged; try again.")
}
