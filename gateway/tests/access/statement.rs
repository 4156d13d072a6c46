//! What was spent by day, and what proves it.

use http::Method;
use peerway_billing::{Actor, KeyPolicy, Proof, Scope};
use peerway_openapi::statement::{Checkpoint, LedgerProof, UsageRow};
use serde_json::json;

use crate::account::charged;
use crate::setting::Setting;

const DIGITS: &str = "0199d2c3a4b5c6d7e8f90a1b2c3d4e5f";

#[tokio::test(flavor = "multi_thread")]
async fn usage_by_day_is_told_page_by_page_and_as_a_table() {
    let setting = Setting::new().await;
    let (one, two) = (setting.key(KeyPolicy::default()).await, setting.key(KeyPolicy::default()).await);
    for (key, request) in [(&one, "req_1"), (&one, "req_2"), (&two, "req_3")] {
        charged(&setting, key, request).await;
    }
    let page = setting.get(&one, "/v1/usage").await.json();
    assert_eq!((&page["object"], &page["has_more"]), (&json!("list"), &json!(false)));
    let rows: Vec<UsageRow> = serde_json::from_value(page["data"].clone()).unwrap();
    // Near midnight the three may lie on two days.
    let sum = |of: fn(&UsageRow) -> u64| rows.iter().map(of).sum::<u64>();
    assert_eq!((sum(|row| row.requests), sum(|row| row.prompt_tokens), sum(|row| row.completion_tokens)), (3, 9, 30));
    assert_eq!(rows.iter().map(|row| row.cost_nano_usd).sum::<i64>(), 30_000_000);
    assert!(rows.len() >= 2 && rows.iter().all(|row| row.model == "m" && row.cost > 0.0), "{rows:?}");

    let first = setting.get(&one, "/v1/usage?limit=1").await.json();
    assert_eq!((&first["data"], &first["has_more"]), (&json!([page["data"][0]]), &json!(true)));
    let after = first["last_id"].as_str().unwrap();
    let rest = setting.get(&one, &format!("/v1/usage?after={after}")).await.json();
    assert_eq!(rest["data"].as_array().unwrap().len(), rows.len() - 1);
    let key = rows[0].key.clone().unwrap();
    let of_key = setting.get(&one, &format!("/v1/usage?key={key}")).await.json();
    assert!(of_key["data"].as_array().unwrap().iter().all(|row| row["key"] == json!(key)), "{of_key}");

    let header = [("authorization", &*format!("Bearer {one}")), ("accept", "text/csv")];
    let table = setting.ask_with(&header, Method::GET, "/v1/usage?limit=1", None).await;
    assert_eq!((table.status.as_u16(), table.header("x-peerway-after")), (200, after));
    assert!(table.header("content-type").starts_with("text/csv"));
    let lines: Vec<&str> = table.text.split("\r\n").collect();
    assert_eq!(lines[0], "day,key,model,requests,prompt_tokens,cached_tokens,completion_tokens,cost_nano_usd");
    let UsageRow { day, requests, cost_nano_usd, .. } = &rows[0];
    assert!(lines[1].starts_with(&format!("{day},\"{key}\",\"m\",{requests},")), "{}", lines[1]);
    assert!(lines[1].ends_with(&format!(",{cost_nano_usd}")), "{}", lines[1]);
    assert_eq!(lines[2..], [""]);
    assert_eq!(setting.get(&one, "/v1/usage?format=csv").await.header("x-peerway-after"), "");

    for (wrong, field) in [
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("after=x", "after"),
        ("key=two%20words", "key"),
        ("format=xlsx", "format"),
    ] {
        let refusal = setting.get(&one, &format!("/v1/usage?{wrong}")).await.refusal();
        assert_eq!(refusal, (400, String::new(), field.to_owned()), "{wrong}");
    }
    assert_eq!(setting.get(&one, "/v1/usage?to=2020-01-01").await.json()["data"], json!([]));
    let blind = setting.scoped(&[Scope::Inference]).await;
    for path in ["/v1/usage", "/v1/ledger/proof?request=req_1"] {
        assert_eq!(setting.get(&blind, path).await.status, 403, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_paid_gets_a_proof_that_holds_without_the_ledger() {
    let setting = Setting::new().await;
    let key = setting.key(KeyPolicy::default()).await;
    assert_eq!(setting.get(&key, "/v1/ledger/checkpoint").await.status, 404);
    charged(&setting, &key, &format!("req_{DIGITS}")).await;
    let told = setting.get(&key, &format!("/v1/ledger/proof?request=chatcmpl-req_{DIGITS}")).await;
    assert_eq!(told.status, 200, "{}", told.text);
    let checkpoint: Checkpoint =
        serde_json::from_value(setting.get(&key, "/v1/ledger/checkpoint").await.json()).unwrap();
    let documented: LedgerProof = serde_json::from_str(&told.text).unwrap();
    assert_eq!(documented.checkpoint, checkpoint, "it was signed for this");
    let proof: Proof = serde_json::from_str(&told.text).unwrap();
    let proven = proof.check(Some(&checkpoint.key)).unwrap();
    assert_eq!(proven.receipt.unwrap().request.as_str(), format!("req_{DIGITS}"));

    let other = setting.ledger.create_account("other", &Actor::operator()).await.unwrap().id;
    let stranger = setting.key_of(&other, KeyPolicy::default()).await;
    let path = format!("/v1/ledger/proof?request=req_{DIGITS}");
    assert_eq!(setting.get(&stranger, &path).await.refusal().1, "not_found");
    assert_eq!(setting.get(&key, "/v1/ledger/proof").await.refusal(), (400, String::new(), "request".to_owned()));
}
