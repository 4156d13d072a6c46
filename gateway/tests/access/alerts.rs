//! Being told of one's budgets.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, Method, StatusCode};
use peerway::config::ServeConfig;
use peerway_billing::{KeyPolicy, Scope};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::account::charged;
use crate::setting::Setting;

/// What came, and how many are refused first.
#[derive(Default)]
struct Mailbox {
    refuse: usize,
    came: Vec<(String, String)>,
}

type Shared = Arc<Mutex<Mailbox>>;

async fn take(State(mailbox): State<Shared>, headers: HeaderMap, body: String) -> StatusCode {
    let mut mailbox = mailbox.lock().unwrap();
    if mailbox.refuse > 0 {
        mailbox.refuse -= 1;
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    let signature = headers["x-peerway-signature"].to_str().unwrap().to_owned();
    mailbox.came.push((signature, body));
    StatusCode::NO_CONTENT
}

async fn mailbox() -> (Shared, String) {
    let mailbox = Shared::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/alerts", listener.local_addr().unwrap());
    let service = Router::new().route("/alerts", post(take)).with_state(Arc::clone(&mailbox));
    tokio::spawn(async move { axum::serve(listener, service).await });
    (mailbox, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_used_up_is_told_with_a_signature() {
    let setting = Setting::with(ServeConfig { alerts_anywhere: true, ..ServeConfig::default() }).await;
    let (mailbox, url) = mailbox().await;
    let admin = setting.scoped(&[Scope::KeysWrite, Scope::UsageRead]).await;
    let body = json!({"url": url, "budgets": {"month": "0.02", "day": null}});
    let set = setting.ask(&admin, Method::PUT, "/v1/admin/alerts", Some(body)).await;
    assert_eq!(set.status, 200, "{}", set.text);
    let secret = set.json()["secret"].as_str().unwrap().to_owned();
    let shown = setting.get(&admin, "/v1/admin/alerts").await.json();
    assert_eq!(
        (&shown["url"], &shown["budgets"]["month"], &shown["secret"]),
        (&json!(url), &json!("0.02"), &Value::Null)
    );

    let key = setting.key(KeyPolicy::default()).await;
    charged(&setting, &key, "req_1").await; // a cent of two
    setting.alerts.look().await.unwrap();
    setting.alerts.look().await.unwrap();
    let came = std::mem::take(&mut mailbox.lock().unwrap().came);
    assert_eq!(came.len(), 1, "once");
    let (signature, body) = &came[0];
    let told: Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        (&told["type"], &told["data"]["percent"], &told["data"]["spent_usd"]),
        (&json!("budget.alert"), &json!(50), &json!("0.01"))
    );
    let (time, hex) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert_eq!(hex, hmac_of(&secret, &format!("{time}.{body}")));

    // Who does not take it is asked again later, not at once.
    mailbox.lock().unwrap().refuse = 1;
    charged(&setting, &key, "req_2").await;
    setting.alerts.look().await.unwrap();
    setting.alerts.look().await.unwrap();
    let left = std::mem::take(&mut *mailbox.lock().unwrap());
    assert_eq!((left.refuse, left.came.len()), (0, 0));

    assert_eq!(setting.ask(&admin, Method::DELETE, "/v1/admin/alerts", None).await.status, 200);
    assert_eq!(setting.get(&admin, "/v1/admin/alerts").await.status, 404);
}

fn hmac_of(secret: &str, text: &str) -> String {
    use hmac::{Hmac, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_public_addresses_are_told() {
    let setting = Setting::new().await;
    let admin = setting.scoped(&[Scope::KeysWrite]).await;
    for url in
        ["http://app.example.com/x", "https://127.0.0.1/x", "https://app.example.com:8443/x", "file:///etc/passwd", ""]
    {
        let refused = setting.ask(&admin, Method::PUT, "/v1/admin/alerts", Some(json!({"url": url}))).await.refusal();
        assert_eq!((refused.0, refused.2.as_str()), (400, "url"), "{url}");
    }
    let wrong = json!({"url": "https://app.example.com/x", "budgets": {"day": "0"}});
    assert_eq!(setting.ask(&admin, Method::PUT, "/v1/admin/alerts", Some(wrong)).await.refusal().2, "budgets.day");
    let reader = setting.scoped(&[Scope::UsageRead]).await;
    let body = json!({"url": "https://app.example.com/x"});
    assert_eq!(setting.ask(&reader, Method::PUT, "/v1/admin/alerts", Some(body)).await.status, 403);
}
