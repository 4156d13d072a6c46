//! `GET /v1/admin/audit`: who changed what, the newest first.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use peerway_billing::Scope;
use peerway_openapi::ApiError;
use peerway_openapi::admin::Page;
use serde::Deserialize;

use super::super::extract::Asked;
use super::super::reply::{json, or_refuse, refused};
use super::{page_size, view};
use crate::Gateway;
use crate::access::Principal;

/// Entries on a page where the caller does not say.
const PAGE: u32 = 50;

/// Which page. `after` is the `last_id` of the page before, and `before` another word for it: the log is read backwards.
#[derive(Debug, Deserialize)]
pub struct Paging {
    limit: Option<u32>,
    #[serde(alias = "before")]
    after: Option<i64>,
}

/// `GET /v1/admin/audit`.
pub async fn list(
    State(gateway): State<Arc<Gateway>>,
    Extension(principal): Extension<Arc<Principal>>,
    Asked(paging): Asked<Paging>,
) -> Response {
    or_refuse(page(&gateway, &principal, paging).await)
}

async fn page(gateway: &Gateway, principal: &Principal, Paging { limit, after }: Paging) -> Result<Response, ApiError> {
    principal.require(Scope::AuditRead)?;
    let size = page_size(limit, PAGE)?;
    let read = async |before, count: usize| {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        gateway.ledger.audit(&principal.account, before, count).await.map_err(|cause| refused(cause, "after"))
    };
    let entries: Vec<_> = read(after, size).await?.into_iter().map(view::audit_entry).collect();
    let last = entries.last().map(|entry| entry.id.clone());
    let seq = last.as_ref().and_then(|id| id.parse::<i64>().ok());
    // One question more only where there may be more.
    let has_more = entries.len() == size && !read(seq, 1).await?.is_empty();
    json(StatusCode::OK, &Page::of(entries, last, has_more))
}
