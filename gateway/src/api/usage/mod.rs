//! `GET /v1/usage`: what was spent by day, key and model, page by page, as JSON or as CSV.

mod csv;
mod place;

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use peerway_billing::{DayQuestion, DayUsage, KeyId, Scope, Window};
use peerway_openapi::ApiError;
use peerway_openapi::admin::Page;
use peerway_openapi::statement::UsageRow;
use serde::Deserialize;

use super::extract::Asked;
use super::reply::{json, or_refuse, refused};
use crate::Gateway;
use crate::access::Principal;

/// Rows on a page where the caller does not say, and at most.
const MOST: u32 = 1000;
/// Days that are told where the caller does not say.
const DAYS: u32 = 30;
/// Where the next page of a CSV begins: a table has no other place for it.
const AFTER: HeaderName = HeaderName::from_static("x-peerway-after");

/// Which days, keys and models, in which form.
#[derive(Debug, Default, Deserialize)]
pub struct Question {
    from: Option<String>,
    to: Option<String>,
    key: Option<String>,
    model: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
    format: Option<String>,
}

/// `GET /v1/usage`.
pub async fn list(
    State(gateway): State<Arc<Gateway>>,
    Extension(principal): Extension<Arc<Principal>>,
    headers: HeaderMap,
    Asked(question): Asked<Question>,
) -> Response {
    or_refuse(page(&gateway, &principal, &headers, question).await)
}

async fn page(
    gateway: &Gateway,
    principal: &Principal,
    headers: &HeaderMap,
    question: Question,
) -> Result<Response, ApiError> {
    principal.require(Scope::UsageRead)?;
    let as_table = wants_table(headers, question.format.as_deref())?;
    let limit = match question.limit.unwrap_or(MOST) {
        limit @ 1..=MOST => limit,
        _ => return Err(ApiError::invalid("limit", format!("`limit` must be between 1 and {MOST}."))),
    };
    let today = Window::Day.start(gateway.ledger.clock().now());
    let to = question.to.as_deref().map(|to| place::day(to, "to")).transpose()?.unwrap_or(today);
    let from = question.from.as_deref().map(|from| place::day(from, "from")).transpose()?;
    let asked = DayQuestion {
        account: principal.account.clone(),
        from: from.unwrap_or_else(|| place::days_before(to, DAYS - 1)),
        to,
        key: question.key.map(KeyId::new).transpose().map_err(|error| ApiError::invalid("key", error.to_string()))?,
        model: question.model,
        after: question.after.as_deref().map(place::read).transpose()?,
        // One more than is told shows whether there are more.
        limit: limit + 1,
    };
    let mut rows = gateway.ledger.usage_by_day(&asked).await.map_err(|cause| refused(cause, "from"))?;
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let last = rows.last().map(place::write);
    let rows: Vec<UsageRow> = rows.into_iter().map(told).collect();
    if as_table {
        table(&rows, last.filter(|_| has_more))
    } else {
        json(StatusCode::OK, &Page::of(rows, last, has_more))
    }
}

/// What the query says wins over what the headers say.
fn wants_table(headers: &HeaderMap, format: Option<&str>) -> Result<bool, ApiError> {
    match format {
        Some("csv") => Ok(true),
        Some("json") => Ok(false),
        Some(_) => Err(ApiError::invalid("format", "`format` is `json` or `csv`.")),
        None => {
            let accepted = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
            let mut kinds = accepted.flat_map(|accept| accept.split(',')).map(|kind| kind.split(';').next());
            Ok(kinds.any(|kind| kind.unwrap_or_default().trim().eq_ignore_ascii_case("text/csv")))
        }
    }
}

fn told(row: DayUsage) -> UsageRow {
    UsageRow {
        day: place::date(row.day),
        key: row.key.map(String::from),
        model: row.model,
        requests: row.requests,
        prompt_tokens: row.prompt,
        cached_tokens: row.cached,
        completion_tokens: row.completion,
        cost: row.spent.to_usd_f64(),
        cost_nano_usd: row.spent.as_i64(),
    }
}

fn table(rows: &[UsageRow], after: Option<String>) -> Result<Response, ApiError> {
    let mut response = Response::new(Body::from(csv::write(rows)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"usage.csv\""));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    if let Some(after) = after {
        let after = HeaderValue::try_from(after);
        headers.insert(AFTER, after.map_err(|_| ApiError::invalid("after", "The next page has no name."))?);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_a_table_gets_one() {
        let accept = |kinds: &'static str| HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(kinds))]);
        for (kinds, format, expected) in [
            ("*/*", None, false),
            ("application/json", None, false),
            ("text/html, Text/CSV;q=0.9", None, true),
            ("text/csv", Some("json"), false),
            ("application/json", Some("csv"), true),
        ] {
            assert_eq!(wants_table(&accept(kinds), format).unwrap(), expected, "{kinds} {format:?}");
        }
        assert_eq!(wants_table(&HeaderMap::new(), Some("xlsx")).unwrap_err().param(), Some("format"));
    }
}
