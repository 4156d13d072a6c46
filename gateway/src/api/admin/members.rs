//! `/v1/admin/members`: the people of an account, who sign in with an identity provider.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use peerway_billing::{Member, Role, Scope, SubjectId};
use peerway_openapi::admin::{Deleted, MemberRequest, Page};
use peerway_openapi::{ApiError, parse};

use super::super::body;
use super::super::extract::PathPart;
use super::super::reply::{json, not_found, or_refuse, refused};
use super::{may_give, view, word};
use crate::Gateway;
use crate::access::Principal;

type Shared = State<Arc<Gateway>>;
type Caller = Extension<Arc<Principal>>;

/// `GET /v1/admin/members`: all of them, 1000 at most.
pub async fn list(State(gateway): Shared, Extension(principal): Caller) -> Response {
    let answer = async {
        principal.require(Scope::MembersRead)?;
        let members: Vec<_> = all(&gateway, &principal).await?.iter().map(view::member).collect();
        let last_id = members.last().map(|member| member.subject.clone());
        json(StatusCode::OK, &Page::of(members, last_id, false))
    };
    or_refuse(answer.await)
}

/// `GET /v1/admin/members/{subject}`.
pub async fn show(State(gateway): Shared, Extension(principal): Caller, PathPart(subject): PathPart) -> Response {
    let answer = async {
        principal.require(Scope::MembersRead)?;
        let member = one(&gateway, &principal, &subject).await?.ok_or_else(|| not_found("member"))?;
        json(StatusCode::OK, &view::member(&member))
    };
    or_refuse(answer.await)
}

/// `PUT /v1/admin/members/{subject}`: adds a person, or changes their role.
pub async fn put(
    State(gateway): Shared,
    Extension(principal): Caller,
    PathPart(subject): PathPart,
    request: Body,
) -> Response {
    let answer = async {
        principal.require(Scope::MembersWrite)?;
        let subject = subject_id(&subject)?;
        let asked: MemberRequest = parse::json(&body::read(request, &gateway.config).await?)?;
        let role: Role = word(&asked.role, "role", &["owner", "billing", "developer", "viewer"])?;
        let before = one(&gateway, &principal, subject.as_str()).await?;
        may_give(&principal, role.scopes()).map_err(|error| error.at("role"))?;
        // Who is taken down to less loses what they had: that too is only for who has it.
        may_give(&principal, before.as_ref().map_or(&[], |member| member.role.scopes()))?;
        let name = asked.name.or_else(|| before.map(|member| member.name)).unwrap_or_default();
        let put = gateway.ledger.put_member(&principal.account, &subject, role, &name, &principal.actor).await;
        let member = put.map_err(|cause| {
            let field = if matches!(cause, peerway_billing::LedgerError::Invalid(_)) { "name" } else { "role" };
            refused(cause, field)
        })?;
        json(StatusCode::OK, &view::member(&member))
    };
    or_refuse(answer.await)
}

/// `DELETE /v1/admin/members/{subject}`.
pub async fn remove(State(gateway): Shared, Extension(principal): Caller, PathPart(subject): PathPart) -> Response {
    let answer = async {
        principal.require(Scope::MembersWrite)?;
        let before = one(&gateway, &principal, &subject).await?.ok_or_else(|| not_found("member"))?;
        may_give(&principal, before.role.scopes())?;
        let removed = gateway.ledger.remove_member(&principal.account, &before.subject, &principal.actor).await;
        let removed = removed.map_err(|cause| refused(cause, "subject"))?;
        let gone = Deleted { object: "member".to_owned(), id: removed.subject.to_string(), deleted: true };
        json(StatusCode::OK, &gone)
    };
    or_refuse(answer.await)
}

async fn all(gateway: &Gateway, principal: &Principal) -> Result<Vec<Member>, ApiError> {
    gateway.ledger.members(&principal.account).await.map_err(|cause| refused(cause, "subject"))
}

async fn one(gateway: &Gateway, principal: &Principal, subject: &str) -> Result<Option<Member>, ApiError> {
    Ok(all(gateway, principal).await?.into_iter().find(|member| member.subject.as_str() == subject))
}

fn subject_id(text: &str) -> Result<SubjectId, ApiError> {
    SubjectId::new(text).map_err(|error| ApiError::invalid("subject", format!("{error}.")))
}
