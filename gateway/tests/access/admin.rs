//! Keys, people and the log of changes, over HTTP.

use http::Method;
use peerway_billing::{Actor, KeyPolicy, Scope};
use serde_json::{Value, json};

use crate::setting::{Answer, Setting};

const ADA: &str = "https%3A%2F%2Fid.example.com%7Cada";

async fn admin() -> (Setting, String) {
    let setting = Setting::new().await;
    let admin = setting.scoped(&[Scope::Admin]).await;
    (setting, admin)
}

async fn make(setting: &Setting, admin: &str, body: Value) -> Value {
    let made = setting.post(admin, "/v1/admin/keys", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.header("cache-control"), "no-store");
    made.json()
}

fn path(key: &Value) -> String {
    format!("/v1/admin/keys/{}", key["id"].as_str().unwrap())
}

async fn patch(setting: &Setting, secret: &str, key: &Value, body: Value) -> Answer {
    setting.ask(secret, Method::PATCH, &path(key), Some(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_shown_changed_rotated_and_revoked() {
    let (setting, admin) = admin().await;
    let made = make(&setting, &admin, json!({
        "name": "app", "models": ["a"], "allowed_ips": ["10.1.2.3/8", "127.0.0.1"], "scopes": ["usage:read", "inference"],
        "budgets": {"day": "1.5", "lifetime": "0.000000001"}, "limits": {"requests_per_minute": 60}, "expires_at": 4_000_000_000_u32,
    })).await;
    let shown = setting.get(&admin, &path(&made)).await.json();
    let mut without = made.clone();
    let secret = without.as_object_mut().unwrap().remove("secret").unwrap();
    assert_eq!(shown, without);
    assert_eq!(shown["scopes"], json!(["inference", "usage:read"]));
    assert_eq!(shown["allowed_ips"], json!(["10.0.0.0/8", "127.0.0.1/32"]));
    assert_eq!(shown["budgets"], json!({"day": "1.50", "week": null, "month": null, "lifetime": "0.000000001"}));
    assert_eq!(shown["limits"], json!({"requests_per_minute": 60, "tokens_per_minute": null, "concurrent": null}));
    assert_eq!(
        (&shown["expires_at"], &shown["revoked_at"], &shown["state"]),
        (&json!(4_000_000_000_u32), &Value::Null, &json!("active"))
    );
    assert_eq!(shown["usage"], json!({"total": 0.0, "day": 0.0, "week": 0.0, "month": 0.0, "requests": 0}));
    assert_eq!(setting.get(secret.as_str().unwrap(), "/v1/models").await.status, 200);

    let changed = patch(&setting, &admin, &made, json!({"models": null, "budgets": {"day": null}})).await.json();
    assert_eq!((&changed["models"], &changed["name"]), (&Value::Null, &json!("app")));
    assert_eq!(changed["budgets"], json!({"day": null, "week": null, "month": null, "lifetime": "0.000000001"}));

    let rotated = setting.post(&admin, &format!("{}/rotate", path(&made)), json!({"overlap_s": 60})).await.json();
    assert_ne!(rotated["secret"], secret);
    assert_eq!(setting.get(rotated["secret"].as_str().unwrap(), "/v1/models").await.status, 200);
    assert_eq!(setting.get(&admin, &path(&made)).await.json()["replaced_by"], rotated["id"]);
    let again = setting.post(&admin, &format!("{}/rotate", path(&made)), json!({})).await;
    assert_eq!(again.refusal().0, 400);
    let longer = patch(&setting, &admin, &made, json!({"expires_at": null})).await;
    assert_eq!(longer.refusal(), (400, String::new(), "expires_at".to_owned()));
    let long = setting.post(&admin, &format!("{}/rotate", path(&rotated)), json!({"overlap_s": 100_000_000})).await;
    assert_eq!(long.refusal(), (400, String::new(), "overlap_s".to_owned()));

    for _ in 0..2 {
        let revoked = setting.ask(&admin, Method::DELETE, &path(&rotated), None).await;
        assert_eq!((revoked.status.as_u16(), &revoked.json()["state"]), (200, &json!("revoked")));
    }
    assert_eq!(patch(&setting, &admin, &rotated, json!({"name": "x"})).await.refusal().0, 400);
    let listed = setting.get(&admin, "/v1/admin/keys").await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 3);
    assert!(!listed.to_string().contains(secret.as_str().unwrap()));
    let first = setting.get(&admin, "/v1/admin/keys?limit=2").await.json();
    let rest =
        setting.get(&admin, &format!("/v1/admin/keys?after={}", first["last_id"].as_str().unwrap())).await.json();
    assert_eq!((&first["has_more"], &rest["has_more"]), (&json!(true), &json!(false)));
    assert_eq!(rest["data"][0], listed["data"][2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_makes_no_sense_is_refused_by_name() {
    let (setting, admin) = admin().await;
    for (body, param) in [
        (json!({"name": "x".repeat(1000)}), "name"),
        (json!({"name": 7}), "name"),
        (json!({"scopes": []}), "scopes"),
        (json!({"scopes": ["everything"]}), "scopes"),
        (json!({"expires_at": 1}), "expires_at"),
        (json!({"models": []}), "models"),
        (json!({"allowed_ips": ["home"]}), "allowed_ips"),
        (json!({"budgets": {"day": "0"}}), "budgets.day"),
        (json!({"budgets": {"day": "1e400"}}), "budgets.day"),
        (json!({"budgets": {"year": "1"}}), "budgets.year"),
        (json!({"limits": {"requests_per_minute": 0}}), "limits.requests_per_minute"),
        (json!({"limit": {}}), "limit"),
    ] {
        let refused = setting.post(&admin, "/v1/admin/keys", body.clone()).await;
        assert_eq!(refused.refusal(), (400, String::new(), param.to_owned()), "{body}");
    }
    assert_eq!(setting.get(&admin, "/v1/admin/keys").await.json()["data"].as_array().unwrap().len(), 1);
    for query in ["limit=0", "limit=1001", "limit=x", "after=key_none"] {
        assert_eq!(setting.get(&admin, &format!("/v1/admin/keys?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_more_than_they_have() {
    let (setting, admin) = admin().await;
    let writer = setting.scoped(&[Scope::KeysWrite, Scope::KeysRead]).await;
    for scopes in [json!(["admin"]), json!(["inference"]), json!(["keys:read", "audit:read"])] {
        let refused = setting.post(&writer, "/v1/admin/keys", json!({"scopes": scopes})).await;
        assert_eq!(refused.refusal(), (403, "not_allowed".to_owned(), "scopes".to_owned()), "{scopes}");
    }
    // What a key is made with where nothing is said is more than this one has.
    assert_eq!(setting.post(&writer, "/v1/admin/keys", json!({})).await.status, 403);
    let less = make(&setting, &writer, json!({"scopes": ["keys:read"]})).await;
    assert_eq!(patch(&setting, &writer, &less, json!({"scopes": ["admin"]})).await.status, 403);
    let stronger = make(&setting, &admin, json!({"scopes": ["admin"]})).await;
    assert_eq!(patch(&setting, &writer, &stronger, json!({"expires_at": null})).await.status, 403);
    assert_eq!(setting.post(&writer, &format!("{}/rotate", path(&stronger)), json!({})).await.status, 403);
    // A leak must be easy to stop.
    assert_eq!(setting.ask(&writer, Method::DELETE, &path(&stronger), None).await.status, 200);

    let staff = setting.scoped(&[Scope::MembersWrite, Scope::MembersRead, Scope::UsageRead, Scope::KeysRead]).await;
    let put = async |secret: &str, subject: &str, role: &str| {
        let path = format!("/v1/admin/members/{subject}");
        setting.ask(secret, Method::PUT, &path, Some(json!({"role": role}))).await.status.as_u16()
    };
    assert_eq!(put(&staff, ADA, "owner").await, 403);
    assert_eq!(put(&admin, ADA, "owner").await, 200);
    assert_eq!(put(&staff, "bob", "viewer").await, 200);
    assert_eq!(put(&staff, ADA, "viewer").await, 403);
    assert_eq!(setting.ask(&staff, Method::DELETE, &format!("/v1/admin/members/{ADA}"), None).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_others_is_not_there() {
    let (setting, admin) = admin().await;
    let other = setting.ledger.create_account("other", &Actor::operator()).await.unwrap().id;
    let stranger = setting.key_of(&other, KeyPolicy { scopes: vec![Scope::Admin], ..KeyPolicy::default() }).await;
    let key = make(&setting, &admin, json!({})).await;
    assert_eq!(
        setting
            .ask(&admin, Method::PUT, &format!("/v1/admin/members/{ADA}"), Some(json!({"role": "owner"})))
            .await
            .status,
        200
    );
    for (method, path, body) in [
        (Method::GET, path(&key), None),
        (Method::PATCH, path(&key), Some(json!({"name": "mine"}))),
        (Method::POST, format!("{}/rotate", path(&key)), Some(json!({}))),
        (Method::DELETE, path(&key), None),
        (Method::GET, format!("/v1/admin/members/{ADA}"), None),
        (Method::DELETE, format!("/v1/admin/members/{ADA}"), None),
    ] {
        let answer = setting.ask(&stranger, method.clone(), &path, body).await;
        assert_eq!((answer.refusal().0, answer.refusal().1.as_str()), (404, "not_found"), "{method} {path}");
    }
    let log = setting.get(&stranger, "/v1/admin/audit").await.text;
    assert!(!log.contains(key["id"].as_str().unwrap()) && !log.contains("ada"));
    assert_eq!(setting.get(&stranger, "/v1/admin/members").await.json()["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_change_and_go() {
    let (setting, admin) = admin().await;
    let path = format!("/v1/admin/members/{ADA}");
    let put = async |body: Value| setting.ask(&admin, Method::PUT, &path, Some(body)).await;
    for (body, param) in
        [(json!({}), "role"), (json!({"role": "king"}), "role"), (json!({"role": "owner", "x": 1}), "x")]
    {
        assert_eq!(put(body.clone()).await.refusal(), (400, String::new(), param.to_owned()), "{body}");
    }
    assert_eq!(put(json!({"role": "owner", "name": "Ada"})).await.status, 200);
    let member = setting.get(&admin, &path).await.json();
    assert_eq!(
        (&member["subject"], &member["role"], &member["name"]),
        (&json!("https://id.example.com|ada"), &json!("owner"), &json!("Ada"))
    );
    // The last owner stays one.
    assert_eq!(put(json!({"role": "viewer"})).await.refusal(), (400, String::new(), "role".to_owned()));
    let bob = "/v1/admin/members/bob";
    assert_eq!(setting.ask(&admin, Method::PUT, bob, Some(json!({"role": "viewer", "name": "Bob"}))).await.status, 200);
    let changed = setting.ask(&admin, Method::PUT, bob, Some(json!({"role": "developer"}))).await.json();
    assert_eq!((&changed["role"], &changed["name"]), (&json!("developer"), &json!("Bob")));
    assert_eq!(setting.ask(&admin, Method::DELETE, bob, None).await.status, 200);
    assert_eq!(setting.ask(&admin, Method::DELETE, bob, None).await.status, 404);
    assert_eq!(setting.get(&admin, "/v1/admin/members").await.json()["data"], json!([member]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_backwards_in_pages() {
    let (setting, admin) = admin().await;
    for number in 0..5 {
        make(&setting, &admin, json!({"name": format!("key {number}")})).await;
    }
    let whole = setting.get(&admin, "/v1/admin/audit").await.json();
    let all = whole["data"].as_array().unwrap();
    // The account and its first key were made at the command line.
    assert_eq!(all.len(), 7);
    assert_eq!((&all[0]["action"], &all[6]["actor"]), (&json!("key.created"), &json!("operator")));
    assert!(all[0]["actor"].as_str().unwrap().starts_with("key:key_"));
    let mut read = Vec::new();
    let mut next = "/v1/admin/audit?limit=3".to_owned();
    for more in [true, true, false] {
        let page = setting.get(&admin, &next).await.json();
        read.extend(page["data"].as_array().unwrap().clone());
        assert_eq!(page["has_more"], json!(more));
        next = format!("/v1/admin/audit?limit=3&before={}", page["last_id"].as_str().unwrap());
    }
    assert_eq!(&read, all);
    let exact = setting.get(&admin, "/v1/admin/audit?limit=7").await.json();
    assert_eq!(exact["has_more"], json!(false));
    for query in ["limit=0", "limit=x", "before=x", "before=1&before=2"] {
        let refused = setting.get(&admin, &format!("/v1/admin/audit?{query}")).await;
        assert_eq!(refused.refusal().0, 400, "{query}");
    }
    assert_eq!(setting.get(&admin, "/v1/admin/members/%ff").await.refusal().0, 400);
    assert_eq!(setting.ask(&admin, Method::DELETE, "/v1/admin/audit", None).await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_endpoint_asks_for_its_scope_and_for_a_key_first() {
    let (setting, _) = admin().await;
    for (path, scope) in [
        ("/v1/admin/keys", Scope::KeysRead),
        ("/v1/admin/members", Scope::MembersRead),
        ("/v1/admin/audit", Scope::AuditRead),
        ("/v1/credits", Scope::UsageRead),
        ("/v1/key", Scope::UsageRead),
    ] {
        let may = setting.scoped(&[scope]).await;
        assert_eq!(setting.get(&may, path).await.status, 200, "{path}");
        let others: Vec<Scope> =
            Scope::ALL.into_iter().filter(|other| *other != scope && *other != Scope::Admin).collect();
        let may_not = setting.scoped(&others).await;
        assert_eq!(setting.get(&may_not, path).await.refusal().1, "not_allowed", "{path}");
        assert_eq!(setting.ask_with(&[], Method::GET, path, None).await.refusal().1, "invalid_api_key", "{path}");
    }
}
