//! `/v1/billing/…`: buying credit by card, sending it back, and buying it again when it runs low.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use peerway_billing::payments::{self, AskedBack, NewPage, PaymentError, Payments, TopUpSettings};
use peerway_billing::{LedgerError, Nanos, Scope, Timestamp};
use peerway_openapi::billing::{
    Checkout, CheckoutRequest, Listed, Payment, Portal, PortalRequest, Refund, RefundRequest, TopUp, TopUpRequest,
};
use peerway_openapi::{ApiError, ErrorKind, parse};
use serde::Deserialize;
use tracing::{error, warn};

use super::body;
use super::extract::Asked;
use super::reply::{json, not_found, or_refuse, refused};
use crate::Gateway;
use crate::access::Principal;

type Shared = State<Arc<Gateway>>;
type Caller = Extension<Arc<Principal>>;

/// How many entries.
#[derive(Debug, Deserialize)]
pub struct Some100 {
    limit: Option<u32>,
}

/// `POST /v1/billing/checkout`.
pub async fn checkout(
    State(gateway): Shared,
    Extension(principal): Caller,
    headers: HeaderMap,
    request: Body,
) -> Response {
    let answer = async {
        let payments = payments(&gateway, &principal, Scope::BillingWrite)?;
        let asked: CheckoutRequest = parse::json(&body::read(request, &gateway.config).await?)?;
        let new = NewPage {
            account: principal.account.clone(),
            amount: usd("amount", &asked.amount)?,
            save_card: asked.save_card,
            success_url: asked.success_url,
            cancel_url: asked.cancel_url,
            name: name(&headers)?,
        };
        let page = payments.open_page(&new).await.map_err(refusal)?;
        let live = gateway.config.stripe.is_live();
        let checkout = Checkout { id: page.payment, url: page.url, amount: text(page.amount), live };
        json(StatusCode::CREATED, &checkout)
    };
    or_refuse(answer.await)
}

/// `POST /v1/billing/portal`.
pub async fn portal(State(gateway): Shared, Extension(principal): Caller, request: Body) -> Response {
    let answer = async {
        let payments = payments(&gateway, &principal, Scope::BillingWrite)?;
        let asked: PortalRequest = parse::json(&body::read(request, &gateway.config).await?)?;
        let url = payments.portal(&principal.account, &asked.return_url).await.map_err(refusal)?;
        json(StatusCode::CREATED, &Portal { url })
    };
    or_refuse(answer.await)
}

/// `GET /v1/billing/topup`.
pub async fn top_up(State(gateway): Shared, Extension(principal): Caller) -> Response {
    let answer = async {
        let payments = payments(&gateway, &principal, Scope::BillingRead)?;
        let set = payments.top_up(&principal.account).await.map_err(refusal)?;
        json(StatusCode::OK, &view_top_up(set))
    };
    or_refuse(answer.await)
}

/// `PUT /v1/billing/topup`.
pub async fn set_top_up(State(gateway): Shared, Extension(principal): Caller, request: Body) -> Response {
    let answer = async {
        let payments = payments(&gateway, &principal, Scope::BillingWrite)?;
        let asked: TopUpRequest = parse::json(&body::read(request, &gateway.config).await?)?;
        let settings = TopUpSettings {
            enabled: asked.enabled,
            threshold: usd("threshold", &asked.threshold)?,
            amount: usd("amount", &asked.amount)?,
            monthly: usd("monthly_limit", &asked.monthly_limit)?,
        };
        let set = payments.set_top_up(&principal.account, &settings).await.map_err(refusal)?;
        json(StatusCode::OK, &view_top_up(Some(set)))
    };
    or_refuse(answer.await)
}

/// `GET /v1/billing/payments`.
pub async fn list_payments(
    State(gateway): Shared,
    Extension(principal): Caller,
    Asked(asked): Asked<Some100>,
) -> Response {
    let answer = async {
        let payments = payments(&gateway, &principal, Scope::BillingRead)?;
        let found = payments.payments(&principal.account, size(&asked)?).await.map_err(refusal)?;
        json(StatusCode::OK, &Listed::of(found.into_iter().map(view_payment).collect()))
    };
    or_refuse(answer.await)
}

/// `GET /v1/billing/refunds`.
pub async fn list_refunds(
    State(gateway): Shared,
    Extension(principal): Caller,
    Asked(asked): Asked<Some100>,
) -> Response {
    let answer = async {
        let payments = payments(&gateway, &principal, Scope::BillingRead)?;
        let found = payments.sent_back(&principal.account, size(&asked)?).await.map_err(refusal)?;
        json(StatusCode::OK, &Listed::of(found.into_iter().map(view_refund).collect()))
    };
    or_refuse(answer.await)
}

/// `POST /v1/billing/refunds`.
pub async fn refund(
    State(gateway): Shared,
    Extension(principal): Caller,
    headers: HeaderMap,
    request: Body,
) -> Response {
    let answer = async {
        let payments = payments(&gateway, &principal, Scope::BillingWrite)?;
        let asked: RefundRequest = parse::json(&body::read(request, &gateway.config).await?)?;
        let amount = asked.amount.as_deref().map(|amount| usd("amount", amount)).transpose()?;
        let back =
            AskedBack { account: principal.account.clone(), payment: asked.payment, amount, name: name(&headers)? };
        let back = payments.send_back(&back, &principal.actor).await.map_err(refusal)?;
        json(StatusCode::CREATED, &view_refund(back))
    };
    or_refuse(answer.await)
}

fn payments<'a>(gateway: &'a Gateway, principal: &Principal, scope: Scope) -> Result<&'a Payments, ApiError> {
    principal.require(scope)?;
    gateway.payments.as_ref().ok_or_else(off)
}

/// Why there are no payments here.
pub(super) fn off() -> ApiError {
    ApiError::new(ErrorKind::PaymentsOff, "This gateway takes no payments by card: its operator has set no Stripe key.")
}

fn name(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let name = value.to_str().ok().filter(|name| (1..=255).contains(&name.len()));
    let wrong = || ApiError::invalid("Idempotency-Key", "`Idempotency-Key` must have 1 to 255 printable characters.");
    name.map(|name| Some(name.to_owned())).ok_or_else(wrong)
}

fn usd(field: &str, amount: &str) -> Result<Nanos, ApiError> {
    amount.parse().map_err(|error| ApiError::invalid(field, format!("{error}.")))
}

fn size(asked: &Some100) -> Result<u32, ApiError> {
    match asked.limit.unwrap_or(100) {
        limit @ 1..=1000 => Ok(limit),
        _ => Err(ApiError::invalid("limit", "`limit` must be between 1 and 1000.")),
    }
}

/// Dollars as they are asked for: `25.00`.
fn text(amount: Nanos) -> String {
    amount.to_string().replacen('$', "", 1)
}

fn view_payment(payment: payments::Payment) -> Payment {
    Payment {
        id: payment.id,
        kind: payment.kind,
        amount: text(payment.amount),
        state: payment.state.as_str().to_owned(),
        refunded: text(payment.refunded),
        created_at: payment.created_at.as_secs(),
        reasons: payment.reasons,
    }
}

fn view_refund(refund: payments::PaidBack) -> Refund {
    Refund {
        id: refund.id,
        payment: refund.payment,
        amount: text(refund.amount),
        charge: text(refund.charge),
        state: refund.state,
        created_at: refund.created_at.as_secs(),
        problem: refund.problem,
    }
}

fn view_top_up(top_up: Option<payments::TopUp>) -> TopUp {
    let money = |of: fn(&payments::TopUp) -> Nanos| top_up.as_ref().map(|set| text(of(set)));
    TopUp {
        enabled: top_up.as_ref().is_some_and(|set| set.enabled),
        threshold: money(|set| set.threshold),
        amount: money(|set| set.amount),
        monthly_limit: money(|set| set.monthly),
        declines: top_up.as_ref().map_or(0, |set| set.declines),
        not_before: top_up.as_ref().and_then(|set| set.not_before).map(Timestamp::as_secs),
        problem: top_up.and_then(|set| set.problem),
    }
}

fn refusal(cause: PaymentError) -> ApiError {
    let told = cause.to_string();
    match cause {
        PaymentError::Invalid { field, message } => ApiError::invalid(field, message),
        PaymentError::NotFound(what) => not_found(what),
        PaymentError::NameUsed => ApiError::new(ErrorKind::IdempotencyMismatch, format!("Not done: {told}.")),
        PaymentError::Conflict(why) => ApiError::new(ErrorKind::PaymentConflict, format!("Not done: {why}.")),
        PaymentError::TooMuch(why) => ApiError::new(ErrorKind::PaymentLimit, format!("Not done: {why}.")),
        PaymentError::Ledger(LedgerError::Insufficient { available, .. }) => {
            let left = text(available);
            let message = format!("Not enough unused credit: {left} USD of the account are available at the moment.");
            ApiError::new(ErrorKind::InsufficientCredit, message)
        }
        PaymentError::Ledger(LedgerError::Frozen(_)) => ApiError::new(
            ErrorKind::AccountFrozen,
            "The account is frozen: nothing goes back before its operator has looked.",
        ),
        PaymentError::Ledger(cause) => refused(cause, "payment"),
        PaymentError::Stripe(cause) => {
            warn!(%cause, "Stripe did not do what it was asked");
            ApiError::new(
                ErrorKind::PaymentsUnavailable,
                "The payment provider did not answer as expected. Try again with the same Idempotency-Key.",
            )
        }
        PaymentError::NoSecret | PaymentError::NoRecords => {
            error!(%told, "payments are not set up");
            off()
        }
    }
}
