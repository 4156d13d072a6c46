//! `POST /v1/webhooks/stripe`: what Stripe tells. Its signature is its key.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, Limited};
use peerway_billing::payments::{EventRefused, MOST_EVENT_BYTES, PaymentError};
use peerway_openapi::{ApiError, ErrorKind};
use tracing::{error, warn};

use super::billing::off;
use super::reply::or_refuse;
use crate::Gateway;

/// Keeps what is signed, as it came, and answers. It is looked into afterwards.
pub async fn stripe(State(gateway): State<Arc<Gateway>>, headers: HeaderMap, request: Body) -> Response {
    let answer = async {
        let payments = gateway.payments.as_ref().ok_or_else(off)?;
        let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let body = read(request, &gateway).await?;
        match payments.told(signature, &body).await {
            Ok(()) => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::OK;
                Ok(response)
            }
            Err(EventRefused::Signature(cause)) => {
                warn!(%cause, "a webhook was refused");
                metrics::counter!("peerway_webhooks_refused_total").increment(1);
                Err(ApiError::invalid("Stripe-Signature", format!("Not believed: {cause}.")))
            }
            Err(EventRefused::Payment(PaymentError::NoSecret)) => Err(ApiError::new(
                ErrorKind::PaymentsOff,
                "This gateway believes no webhook: its operator has set no STRIPE_WEBHOOK_SECRETS.",
            )),
            Err(EventRefused::Payment(cause)) => {
                error!(%cause, "a webhook could not be kept");
                Err(ApiError::new(ErrorKind::LedgerUnavailable, "The event could not be kept. Send it again."))
            }
        }
    };
    or_refuse(answer.await)
}

async fn read(body: Body, gateway: &Gateway) -> Result<bytes::Bytes, ApiError> {
    let too_large =
        || ApiError::new(ErrorKind::BodyTooLarge, format!("An event has at most {MOST_EVENT_BYTES} bytes."));
    if body.size_hint().lower() > MOST_EVENT_BYTES as u64 {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(gateway.config.body_timeout(), Limited::new(body, MOST_EVENT_BYTES).collect());
    match collected.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(ApiError::new(ErrorKind::RequestTimeout, "The body did not arrive in time.")),
    }
}
