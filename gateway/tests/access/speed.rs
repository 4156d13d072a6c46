//! Scopes, rates and pages of browsers, in front of the endpoints that ask models.

use http::Method;
use peerway::config::ServeConfig;
use peerway_billing::{KeyPolicy, Limits, Scope};
use serde_json::{Value, json};

use crate::setting::{Answer, Setting};

/// Nothing is sold here, so a request that gets through is told that there is no such model.
fn body() -> Value {
    json!({"model": "none", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5})
}

async fn chat(setting: &Setting, secret: &str) -> Answer {
    setting.post(secret, "/v1/chat/completions", body()).await
}

fn limited(requests: u64) -> KeyPolicy {
    let limits = Limits { requests_per_minute: Some(requests), tokens_per_minute: Some(500), concurrent: Some(1) };
    KeyPolicy { limits, ..KeyPolicy::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_ask_models_is_told_the_scope() {
    let setting = Setting::new().await;
    let reader = setting.scoped(&[Scope::UsageRead]).await;
    let refused = chat(&setting, &reader).await;
    assert_eq!(refused.refusal().0, 403);
    assert_eq!(refused.refusal().1, "not_allowed");
    assert!(refused.text.contains("`inference`"));
    assert_eq!(setting.get(&reader, "/v1/models").await.status, 200);
    let asker = setting.scoped(&[Scope::Inference]).await;
    assert_eq!(chat(&setting, &asker).await.refusal().1, "model_not_found");
    for path in ["/v1/responses/resp_0", "/v1/responses/resp_0/input_items"] {
        assert_eq!(setting.get(&reader, path).await.status, 403, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_a_limited_key_says_what_is_left() {
    let setting = Setting::new().await;
    let key = setting.key(limited(2)).await;
    for left in ["1", "0"] {
        let answer = chat(&setting, &key).await;
        // The place among those at a time is free again as soon as the body is read.
        assert_eq!(answer.refusal().1, "model_not_found");
        assert_eq!(answer.header("x-ratelimit-limit-requests"), "2");
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), left);
        assert_eq!(answer.header("x-ratelimit-remaining-tokens"), "500");
    }
    let refused = chat(&setting, &key).await;
    assert_eq!(refused.refusal(), (429, "rate_limit_exceeded".to_owned(), String::new()));
    assert_eq!(refused.header("x-ratelimit-remaining-requests"), "0");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    // To look is not to ask, and others are not held up.
    assert_eq!(setting.get(&key, "/v1/models").await.status, 200);
    let other = setting.key(KeyPolicy::default()).await;
    let free = chat(&setting, &other).await;
    assert_eq!((free.refusal().0, free.header("x-ratelimit-limit-requests")), (404, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_shares_the_rate_of_its_key() {
    let setting = Setting::new().await;
    let key = setting.key(limited(1)).await;
    let minted = setting.post(&key, "/v1/auth/tokens", json!({"expires_in": 60})).await;
    assert_eq!(minted.status, 201);
    let token = minted.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(chat(&setting, &token).await.refusal().0, 404);
    assert_eq!(chat(&setting, &key).await.refusal().0, 429);
    assert_eq!(setting.post(&token, "/v1/auth/tokens", json!({})).await.refusal().1, "not_allowed");
    assert_eq!(setting.get(&token, "/v1/admin/keys").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateways_defaults_count_where_a_key_has_no_limits() {
    let config = ServeConfig { default_requests_per_minute: Some(1), ..ServeConfig::default() };
    let setting = Setting::with(config).await;
    let key = setting.key(KeyPolicy::default()).await;
    assert_eq!(chat(&setting, &key).await.refusal().0, 404);
    assert_eq!(chat(&setting, &key).await.refusal().0, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_may_ask_before_it_shows_a_key() {
    let setting = Setting::new().await;
    let preflight = [
        ("origin", "https://app.example.com"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    let answer = setting.ask_with(&preflight, Method::OPTIONS, "/v1/chat/completions", None).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, "*"));
    assert!(!answer.header("x-request-id").is_empty());
    let origin = [("origin", "https://app.example.com")];
    let refused = setting.ask_with(&origin, Method::POST, "/v1/chat/completions", Some(body())).await;
    assert_eq!((refused.status.as_u16(), refused.header("access-control-allow-origin")), (401, "*"));
    let closed = Setting::with(ServeConfig { cors_origins: Vec::new(), ..ServeConfig::default() }).await;
    let refused = closed.ask_with(&origin, Method::GET, "/health", None).await;
    assert_eq!(refused.header("access-control-allow-origin"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn anthropics_header_is_a_key_too_and_an_address_is_not() {
    let setting = Setting::new().await;
    let key = setting.key(KeyPolicy::default()).await;
    let answer = setting.ask_with(&[("x-api-key", &key)], Method::GET, "/v1/models", None).await;
    assert_eq!(answer.status, 200);
    let burnt = setting.get(&key, &format!("/v1/models?key={key}")).await;
    assert_eq!(burnt.refusal().1, "invalid_api_key");
    assert!(!burnt.text.contains(&key));
}
