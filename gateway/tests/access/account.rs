//! What is left, and what became of a request.

use std::time::Duration;

use peerway_billing::{
    Actor, Amount, BudgetLimits, Capture, Charge, ChargeTerms, Credit, FeeBps, HoldId, KeyPolicy, Nanos, NewHold,
    OperatorId, Outcome, OwnerId, Price, Reference, RequestId, Scope, TokenCount,
};
use serde_json::json;

use crate::setting::Setting;

/// A request that cost a hundredth of a dollar: ten tokens at a thousand dollars a million.
pub(crate) async fn charged(setting: &Setting, secret: &str, request: &str) {
    let key = setting.ledger.find_key(&peerway_billing::KeyHash::of(secret)).await.unwrap().unwrap().id;
    let account = setting.account.clone();
    let (amount, reference) = (Nanos::new(1_000_000_000), Reference::new(request).unwrap());
    let credit = Credit { account: account.clone(), amount, reference, memo: "test".to_owned() };
    setting.ledger.credit(credit, &Actor::operator()).await.unwrap();
    let hold = HoldId::random();
    let expires_at = setting.ledger.clock().now().after(Duration::from_secs(60));
    let owner = OwnerId::new("test").unwrap();
    let taken =
        NewHold { id: hold.clone(), account, amount: Amount::exactly(amount), ahead: Nanos::ZERO, expires_at, owner };
    setting.ledger.hold(taken).await.unwrap();
    let terms = ChargeTerms {
        key: Some(key),
        token: None,
        node: "12D3KooW".to_owned(),
        operator: OperatorId::new("alice").unwrap(),
        model: "m".to_owned(),
        price: Price::from_usd_strs("0", "0", "1000").unwrap(),
        fee: FeeBps::ZERO,
        billed: TokenCount::new(3, 0, 10),
        claimed: TokenCount::new(4, 1, 11),
        outcome: Outcome::Finished,
    };
    let charge = Charge::new(terms).unwrap();
    let request = RequestId::new(request).unwrap();
    setting.ledger.capture(Capture { hold, request, charge, at_most: None, close: true }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_credit_and_budgets() {
    let setting = Setting::new().await;
    let budgets = BudgetLimits {
        day: Some(Nanos::new(50_000_000)),
        lifetime: Some(Nanos::new(900_000_000)),
        ..BudgetLimits::default()
    };
    let key = setting.key(KeyPolicy { budgets, ..KeyPolicy::default() }).await;
    assert_eq!(setting.get(&key, "/v1/key").await.json()["data"]["is_free_tier"], json!(true));
    charged(&setting, &key, "req_1").await;
    assert_eq!(
        setting.get(&key, "/v1/credits").await.json(),
        json!({"data": {"total_credits": 1.0, "total_usage": 0.01, "spend_rate": null, "runs_out_at": null}})
    );
    let expected = json!({"data": {
        "label": "test", "limit": 0.05, "limit_remaining": 0.04, "limit_reset": "daily", "usage": 0.01,
        "usage_daily": 0.01, "usage_weekly": 0.01, "usage_monthly": 0.01, "is_free_tier": false,
        "rate_limit": {"requests": -1, "interval": "1m"},
    }});
    assert_eq!(setting.get(&key, "/v1/key").await.json(), expected);
    let admin = setting.scoped(&[Scope::Admin]).await;
    let listed = setting.get(&admin, "/v1/admin/keys").await.json();
    assert_eq!(
        listed["data"][0]["usage"],
        json!({"total": 0.01, "day": 0.01, "week": 0.01, "month": 0.01, "requests": 1})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_request_is_told_to_who_paid() {
    let setting = Setting::new().await;
    let key = setting.key(KeyPolicy::default()).await;
    let digits = "0199d2c3a4b5c6d7e8f90a1b2c3d4e5f";
    charged(&setting, &key, &format!("req_{digits}")).await;
    for id in [format!("req_{digits}"), format!("chatcmpl-req_{digits}"), format!("msg_{digits}")] {
        let told = setting.get(&key, &format!("/v1/generation?id={id}")).await.json();
        let data = &told["data"];
        assert_eq!((&data["id"], &data["total_cost"]), (&json!(format!("req_{digits}")), &json!(0.01)));
        assert_eq!(
            (&data["model"], &data["provider_name"], &data["finish_reason"]),
            (&json!("m"), &json!("12D3KooW"), &json!("stop"))
        );
        assert_eq!((&data["tokens_prompt"], &data["tokens_completion"]), (&json!(3), &json!(10)));
        assert_eq!((&data["fee"], &data["shortfall"], &data["tokens_cached"]), (&json!(0.0), &json!(0.0), &json!(0)));
        assert!(data["key"].as_str().unwrap().starts_with("key_"), "{data}");
        assert!(data["ledger_seq"].as_i64().unwrap() > 0, "{data}");
        assert_eq!((&data["native_tokens_prompt"], &data["native_tokens_completion"]), (&json!(4), &json!(11)));
    }
    let other = setting.ledger.create_account("other", &Actor::operator()).await.unwrap().id;
    let stranger = setting.key_of(&other, KeyPolicy::default()).await;
    assert_eq!(setting.get(&stranger, &format!("/v1/generation?id=req_{digits}")).await.refusal().1, "not_found");
    assert_eq!(setting.get(&key, "/v1/generation?id=none").await.status, 404);
    assert_eq!(setting.get(&key, "/v1/generation").await.refusal(), (400, String::new(), "id".to_owned()));
}
