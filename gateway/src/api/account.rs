//! `/v1/credits`, `/v1/key`, `/v1/generation`: what is left, and what became of a request.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use peerway_billing::{BudgetLimits, KeyUsage, Nanos, Outcome, Receipt, ReceiptPart, RequestId, Scope, Window};
use peerway_openapi::account::{Credits, Data, Generation, GenerationPart, KeyInfo, RateLimit};
use peerway_openapi::{ApiError, ErrorKind};
use serde::Deserialize;

use super::extract::Asked;
use super::reply::{json, not_found, or_refuse, refused};
use crate::Gateway;
use crate::access::Principal;

/// Hexadecimal digits in the name of a request, which all names of its answers end with.
const NAME_DIGITS: usize = 32;

/// Which request.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    id: Option<String>,
    pub(super) request: Option<String>,
}

type Shared = State<Arc<Gateway>>;
type Caller = Extension<Arc<Principal>>;

/// `GET /v1/credits`.
pub async fn credits(State(gateway): Shared, Extension(principal): Caller) -> Response {
    let answer = async {
        principal.require(Scope::UsageRead)?;
        let failed = |cause| refused(cause, "id");
        let totals = gateway.ledger.totals(&principal.account).await.map_err(failed)?;
        let forecast = gateway.ledger.forecast(&principal.account).await.map_err(failed)?;
        let data = Credits {
            total_credits: totals.credited.to_usd_f64(),
            total_usage: totals.used.to_usd_f64(),
            spend_rate: forecast.map(|forecast| forecast.per_day.to_usd_f64()),
            runs_out_at: forecast.and_then(|forecast| forecast.runs_out_at).map(|at| at.to_string()),
        };
        json(StatusCode::OK, &Data { data })
    };
    or_refuse(answer.await)
}

/// `GET /v1/key`.
pub async fn key(State(gateway): Shared, Extension(principal): Caller) -> Response {
    let answer = async {
        principal.require(Scope::UsageRead)?;
        let id = principal.key.as_ref().ok_or_else(|| {
            ApiError::new(
                ErrorKind::NotFound,
                "This tells about the key that asks, and a token of a provider has none.",
            )
        })?;
        let ledger = &gateway.ledger;
        let record = ledger.key(id).await.map_err(|cause| refused(cause, "id"))?;
        let usage = ledger.key_usage(id).await.map_err(|cause| refused(cause, "id"))?;
        let totals = ledger.totals(&principal.account).await.map_err(|cause| refused(cause, "id"))?;
        let tightest = tightest(&record.policy.budgets, &usage);
        let requests = principal.limits.requests_per_minute.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
        let data = KeyInfo {
            label: record.name,
            limit: tightest.map(|(_, limit, _)| limit.to_usd_f64()),
            limit_remaining: tightest.map(|(_, _, left)| left.to_usd_f64()),
            limit_reset: tightest.and_then(|(window, ..)| reset(window)).map(str::to_owned),
            usage: usage.total.to_usd_f64(),
            usage_daily: usage.day.to_usd_f64(),
            usage_weekly: usage.week.to_usd_f64(),
            usage_monthly: usage.month.to_usd_f64(),
            is_free_tier: totals.credited == Nanos::ZERO,
            rate_limit: RateLimit { requests: requests.unwrap_or(-1), interval: "1m".to_owned() },
        };
        json(StatusCode::OK, &Data { data })
    };
    or_refuse(answer.await)
}

/// `GET /v1/generation?id=…`, of a request or of an answer.
pub async fn generation(State(gateway): Shared, Extension(principal): Caller, Asked(asked): Asked<Wanted>) -> Response {
    let answer = async {
        principal.require(Scope::UsageRead)?;
        let receipt = receipt_of(&gateway, &principal, asked.id, "id").await?;
        json(StatusCode::OK, &Data { data: told(&receipt) })
    };
    or_refuse(answer.await)
}

/// The receipt of the caller's own request that the field `field` names.
pub(super) async fn receipt_of(
    gateway: &Gateway,
    principal: &Principal,
    id: Option<String>,
    field: &str,
) -> Result<Receipt, ApiError> {
    let id = id.ok_or_else(|| ApiError::invalid(field, format!("Name a request: `?{field}=req_…`.")))?;
    let request = request_id(&id).ok_or_else(|| not_found("request"))?;
    let receipt = gateway.ledger.charge(&request).await.map_err(|cause| match cause {
        peerway_billing::LedgerError::NotFound { .. } => not_found("request"),
        cause => refused(cause, field),
    })?;
    if receipt.account == principal.account { Ok(receipt) } else { Err(not_found("request")) }
}

/// The budget with the least left: its window, its limit, and what is left.
fn tightest(budgets: &BudgetLimits, usage: &KeyUsage) -> Option<(Window, Nanos, Nanos)> {
    let spent = |window| match window {
        Window::Day => usage.day,
        Window::Week => usage.week,
        Window::Month => usage.month,
        Window::Lifetime => usage.total,
    };
    let left = |window| budgets.of(window).map(|limit| (window, limit, limit.minus_or_zero(spent(window))));
    Window::ALL.into_iter().filter_map(left).min_by_key(|(_, _, left)| *left)
}

fn reset(window: Window) -> Option<&'static str> {
    match window {
        Window::Day => Some("daily"),
        Window::Week => Some("weekly"),
        Window::Month => Some("monthly"),
        Window::Lifetime => None,
    }
}

/// The request that an id is of: `req_…` itself, or an answer's name that ends with its digits, such as `resp_…`.
fn request_id(id: &str) -> Option<RequestId> {
    let digits = id.get(id.len().checked_sub(NAME_DIGITS)?..)?;
    let are_digits = digits.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit));
    let request = RequestId::new(format!("req_{digits}")).ok();
    request.filter(|_| are_digits)
}

fn told(receipt: &Receipt) -> Generation {
    let cost = receipt.paid.total.to_usd_f64();
    let finish_reason = match receipt.outcome {
        Outcome::Finished => Some("stop"),
        Outcome::CreditUsedUp => Some("length"),
        Outcome::NodeFailed | Outcome::TimedOut => Some("error"),
        Outcome::CallerLeft | Outcome::Nothing => None,
    };
    Generation {
        id: receipt.request.to_string(),
        total_cost: cost,
        usage: cost,
        upstream_inference_cost: receipt.paid.operator.to_usd_f64(),
        fee: receipt.paid.fee.to_usd_f64(),
        shortfall: receipt.shortfall.to_usd_f64(),
        key: receipt.key.as_ref().map(ToString::to_string),
        ledger_seq: receipt.seq,
        created_at: receipt.created_at.to_string(),
        model: receipt.model.clone(),
        provider_name: receipt.node.clone(),
        cancelled: receipt.outcome == Outcome::CallerLeft,
        finish_reason: finish_reason.map(str::to_owned),
        tokens_prompt: receipt.billed.prompt(),
        tokens_cached: receipt.billed.cached(),
        tokens_completion: receipt.billed.completion(),
        native_tokens_prompt: receipt.claimed.prompt(),
        native_tokens_completion: receipt.claimed.completion(),
        native_tokens_cached: receipt.claimed.cached(),
        parts: receipt.parts.iter().map(part).collect(),
    }
}

fn part(part: &ReceiptPart) -> GenerationPart {
    GenerationPart {
        provider_name: part.node.clone(),
        upstream_inference_cost: part.earned.to_usd_f64(),
        tokens_prompt: part.billed.prompt(),
        tokens_completion: part.billed.completion(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answers_name_leads_to_its_request() {
        let digits = "0199d2c3a4b5c6d7e8f90a1b2c3d4e5f";
        for id in ["req_", "chatcmpl-req_", "resp_", "msg_", "gen-", ""].map(|prefix| format!("{prefix}{digits}")) {
            assert_eq!(request_id(&id).unwrap().as_str(), format!("req_{digits}"), "{id}");
        }
        for id in
            ["", "none", "req_", &digits[1..], &format!("req_{}x", &digits[1..]), "req_äääääääääääääääääääääääääääääää"]
        {
            assert_eq!(request_id(id), None, "{id}");
        }
    }

    #[test]
    fn the_budget_with_the_least_left_is_told() {
        let budgets =
            BudgetLimits { day: Some(Nanos::new(10)), lifetime: Some(Nanos::new(100)), ..BudgetLimits::default() };
        let usage = |day, total| KeyUsage { day: Nanos::new(day), total: Nanos::new(total), ..KeyUsage::default() };
        let told = |day, total| tightest(&budgets, &usage(day, total)).map(|(window, _, left)| (window, left.as_i64()));
        assert_eq!(told(4, 4), Some((Window::Day, 6)));
        assert_eq!(told(4, 95), Some((Window::Lifetime, 5)));
        assert_eq!(told(12, 12), Some((Window::Day, 0)));
        assert_eq!(tightest(&BudgetLimits::default(), &usage(1, 1)), None);
    }
}
