//! `/v1/admin/keys`.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use peerway_billing::{KeyChange, KeyId, KeyPolicy, KeyRecord, KeyTerms, LedgerError, NewKey, Scope};
use peerway_openapi::admin::{Key, KeyRequest, Page, RotateRequest};
use peerway_openapi::{ApiError, parse};
use serde::Deserialize;

use super::super::body;
use super::super::extract::{Asked, PathPart};
use super::super::reply::{json, not_found, or_refuse, refused};
use super::{may_give, page_size, policy, view};
use crate::Gateway;
use crate::access::Principal;

/// Keys on a page where the caller does not say.
const PAGE: u32 = 100;

/// Which page.
#[derive(Debug, Deserialize)]
pub struct Paging {
    limit: Option<u32>,
    after: Option<String>,
}

type Shared = State<Arc<Gateway>>;
type Caller = Extension<Arc<Principal>>;

/// `POST /v1/admin/keys`.
pub async fn create(State(gateway): Shared, Extension(principal): Caller, request: Body) -> Response {
    or_refuse(make(&gateway, &principal, request).await)
}

async fn make(gateway: &Gateway, principal: &Principal, request: Body) -> Result<Response, ApiError> {
    principal.require(Scope::KeysWrite)?;
    let asked: KeyRequest = parse::json(&body::read(request, &gateway.config).await?)?;
    let policy = policy::changed(KeyPolicy::default(), &asked)?;
    may_give(principal, &policy.scopes).map_err(|error| error.at("scopes"))?;
    let name = asked.name.unwrap_or_else(|| "key".to_owned());
    let terms = KeyTerms { account: principal.account.clone(), name, policy };
    let made = gateway.ledger.create_key(terms, &principal.actor).await.map_err(|cause| refused(cause, "name"))?;
    shown_once(gateway, &made).await
}

/// `GET /v1/admin/keys`, the oldest first.
pub async fn list(State(gateway): Shared, Extension(principal): Caller, Asked(paging): Asked<Paging>) -> Response {
    or_refuse(page(&gateway, &principal, paging).await)
}

async fn page(gateway: &Gateway, principal: &Principal, Paging { limit, after }: Paging) -> Result<Response, ApiError> {
    principal.require(Scope::KeysRead)?;
    let size = page_size(limit, PAGE)?;
    let all = gateway.ledger.list_keys(Some(&principal.account)).await.map_err(|cause| refused(cause, "after"))?;
    let begin = match after {
        None => 0,
        Some(after) => {
            let place = all.iter().position(|record| record.id.as_str() == after);
            place.ok_or_else(|| ApiError::invalid("after", "There is no key with this id on this account."))? + 1
        }
    };
    let rest = &all[begin..];
    let mut keys = Vec::new();
    for record in rest.iter().take(size) {
        keys.push(with_usage(gateway, record).await?);
    }
    let last_id = keys.last().map(|key| key.id.clone());
    json(StatusCode::OK, &Page::of(keys, last_id, rest.len() > size))
}

/// `GET /v1/admin/keys/{id}`.
pub async fn show(State(gateway): Shared, Extension(principal): Caller, PathPart(id): PathPart) -> Response {
    let answer = async {
        principal.require(Scope::KeysRead)?;
        let record = own(&gateway, &principal, &id).await?;
        json(StatusCode::OK, &with_usage(&gateway, &record).await?)
    };
    or_refuse(answer.await)
}

/// `PATCH /v1/admin/keys/{id}`.
pub async fn update(
    State(gateway): Shared,
    Extension(principal): Caller,
    PathPart(id): PathPart,
    request: Body,
) -> Response {
    let answer = async {
        principal.require(Scope::KeysWrite)?;
        let asked: KeyRequest = parse::json(&body::read(request, &gateway.config).await?)?;
        let record = own(&gateway, &principal, &id).await?;
        may_give(&principal, &record.policy.scopes)?;
        let policy = policy::changed(record.policy, &asked)?;
        may_give(&principal, &policy.scopes).map_err(|error| error.at("scopes"))?;
        let change = KeyChange { name: asked.name, policy: Some(policy) };
        let changed = gateway.ledger.update_key(&record.id, change, &principal.actor).await;
        let changed = changed.map_err(|cause| match cause {
            cause @ LedgerError::KeyReplaced { .. } => refused(cause, "expires_at"),
            cause => refused(cause, "name"),
        })?;
        json(StatusCode::OK, &with_usage(&gateway, &changed).await?)
    };
    or_refuse(answer.await)
}

/// `POST /v1/admin/keys/{id}/rotate`.
pub async fn rotate(
    State(gateway): Shared,
    Extension(principal): Caller,
    PathPart(id): PathPart,
    request: Body,
) -> Response {
    let answer = async {
        principal.require(Scope::KeysWrite)?;
        let record = own(&gateway, &principal, &id).await?;
        // The new secret is in the answer: whoever rotates a key has it.
        may_give(&principal, &record.policy.scopes)?;
        let bytes = body::read(request, &gateway.config).await?;
        let asked: RotateRequest = if bytes.is_empty() { RotateRequest::default() } else { parse::json(&bytes)? };
        let overlap = Duration::from_secs(asked.overlap_s);
        let rotated = gateway.ledger.rotate_key(&record.id, overlap, &principal.actor).await;
        shown_once(&gateway, &rotated.map_err(|cause| refused(cause, "overlap_s"))?).await
    };
    or_refuse(answer.await)
}

/// `DELETE /v1/admin/keys/{id}`: the key stops within a second, and for good; it is listed from then on as revoked. Any
/// key of the account can be revoked by who may write keys, also one that may do more: a leak must be easy to stop.
pub async fn revoke(State(gateway): Shared, Extension(principal): Caller, PathPart(id): PathPart) -> Response {
    let answer = async {
        principal.require(Scope::KeysWrite)?;
        let record = own(&gateway, &principal, &id).await?;
        let revoked = gateway.ledger.revoke_key(&record.id, &principal.actor).await;
        json(StatusCode::OK, &with_usage(&gateway, &revoked.map_err(|cause| refused(cause, "id"))?).await?)
    };
    or_refuse(answer.await)
}

/// The key with this id, if it is of the caller's account.
async fn own(gateway: &Gateway, principal: &Principal, id: &str) -> Result<KeyRecord, ApiError> {
    let id = KeyId::new(id).map_err(|_| not_found("key"))?;
    let record = gateway.ledger.key(&id).await.map_err(|cause| refused(cause, "id"))?;
    if record.account == principal.account { Ok(record) } else { Err(not_found("key")) }
}

async fn with_usage(gateway: &Gateway, record: &KeyRecord) -> Result<Key, ApiError> {
    let usage = gateway.ledger.key_usage(&record.id).await.map_err(|cause| refused(cause, "id"))?;
    Ok(view::key(record, &usage, gateway.ledger.clock().now()))
}

async fn shown_once(gateway: &Gateway, made: &NewKey) -> Result<Response, ApiError> {
    let key = with_usage(gateway, &made.record).await?;
    json(StatusCode::CREATED, &Key { secret: Some(made.secret.expose().to_owned()), ..key })
}
