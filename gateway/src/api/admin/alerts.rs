//! `/v1/admin/alerts`: where the account is told that a budget is being used up.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use peerway_billing::{AlertHook, BudgetLimits, Scope};
use peerway_openapi::admin::{AlertHook as Told, AlertHookRequest, Deleted};
use peerway_openapi::{ApiError, parse};

use super::super::body;
use super::super::reply::{json, not_found, or_refuse, refused};
use super::policy::budget;
use super::view;
use crate::Gateway;
use crate::access::Principal;

type Shared = State<Arc<Gateway>>;
type Caller = Extension<Arc<Principal>>;

/// `GET /v1/admin/alerts`.
pub async fn show(State(gateway): Shared, Extension(principal): Caller) -> Response {
    let answer = async {
        principal.require(Scope::UsageRead)?;
        let hook = gateway.ledger.alert_hook(&principal.account).await.map_err(|cause| refused(cause, "url"))?;
        let hook = hook.ok_or_else(|| not_found("alert hook"))?;
        json(StatusCode::OK, &told(hook, None))
    };
    or_refuse(answer.await)
}

/// `PUT /v1/admin/alerts`: sets it, with a new secret.
pub async fn put(State(gateway): Shared, Extension(principal): Caller, request: Body) -> Response {
    let answer = async {
        // As for keys' budgets: whoever may make keys decides about the account's money.
        principal.require(Scope::KeysWrite)?;
        let asked: AlertHookRequest = parse::json(&body::read(request, &gateway.config).await?)?;
        gateway.alerts.check(&asked.url).map_err(|why| ApiError::invalid("url", why))?;
        let mut budgets = BudgetLimits::default();
        budget(&mut budgets, &asked.budgets.unwrap_or_default())?;
        let secret = format!("whsec_{}", hex::encode(rand::random::<[u8; 32]>()));
        let (ledger, account) = (&gateway.ledger, &principal.account);
        let hook = ledger.put_alert_hook(account, &asked.url, budgets, &secret, &principal.actor).await;
        json(StatusCode::OK, &told(hook.map_err(|cause| refused(cause, "url"))?, Some(secret)))
    };
    or_refuse(answer.await)
}

/// `DELETE /v1/admin/alerts`.
pub async fn remove(State(gateway): Shared, Extension(principal): Caller) -> Response {
    let answer = async {
        principal.require(Scope::KeysWrite)?;
        let removed = gateway.ledger.remove_alert_hook(&principal.account, &principal.actor).await;
        let removed = removed.map_err(|cause| refused(cause, "url"))?;
        let gone = Deleted { object: "alert_hook".to_owned(), id: removed.account.to_string(), deleted: true };
        json(StatusCode::OK, &gone)
    };
    or_refuse(answer.await)
}

fn told(hook: AlertHook, secret: Option<String>) -> Told {
    Told {
        object: "alert_hook".to_owned(),
        url: hook.url,
        budgets: view::budgets(&hook.budgets),
        created_at: hook.created_at.as_secs(),
        secret,
    }
}
