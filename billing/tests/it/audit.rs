//! Who changed what: every change is in the log, with who made it, and no secret with it.

use std::time::Duration;

use peerway_billing::{Actor, AuditEntry, BudgetLimits, KeyChange, KeyHash, KeyPolicy, Role};
use serde_json::{Value, json};

use super::support::{Bench, START, capture, grant, hold, key_of, nanos, subject};

fn told(entries: &[AuditEntry]) -> Vec<(String, String, String, Value)> {
    let tell = |entry: &AuditEntry| {
        (entry.actor.to_string(), entry.action.to_string(), entry.target.clone(), entry.detail.clone())
    };
    entries.iter().rev().map(tell).collect()
}

#[tokio::test]
async fn every_change_says_who_made_it() {
    let bench = Bench::new().await;
    let ledger = &bench.ledger;
    let (operator, olga) = (Actor::operator(), subject("olga"));
    let account = ledger.create_account("acme", &operator).await.unwrap().id;
    ledger.credit(grant(&account, 70, "pi_1"), &operator).await.unwrap();
    ledger.credit(grant(&account, 70, "pi_1"), &operator).await.unwrap(); // repeated: no change
    ledger.put_member(&account, &olga, Role::Owner, "Olga", &operator).await.unwrap();
    let by_olga = Actor::subject(olga.clone());
    let key = ledger.create_key(key_of(&account, "laptop"), &by_olga).await.unwrap();
    let id = key.record.id.clone();
    let by_key = Actor::key(id.clone());
    let budgets = BudgetLimits { day: Some(nanos(5)), ..BudgetLimits::default() };
    let policy = KeyPolicy { budgets, ..KeyPolicy::default() };
    let change = KeyChange { name: Some("desk".to_owned()), policy: Some(policy) };
    ledger.update_key(&id, change.clone(), &by_key).await.unwrap();
    ledger.update_key(&id, change, &by_key).await.unwrap(); // no change
    let next = ledger.rotate_key(&id, Duration::from_secs(60), &by_olga).await.unwrap();
    let next_id = next.record.id.clone();
    ledger.revoke_key(&next_id, &operator).await.unwrap();
    ledger.revoke_key(&next_id, &operator).await.unwrap(); // no change
    ledger.put_member(&account, &subject("vera"), Role::Viewer, "Vera", &by_olga).await.unwrap();
    ledger.put_member(&account, &subject("vera"), Role::Billing, "Vera", &by_olga).await.unwrap();
    ledger.remove_member(&account, &subject("vera"), &by_olga).await.unwrap();
    ledger.set_frozen(&account, true, &operator).await.unwrap();
    ledger.set_frozen(&account, false, &operator).await.unwrap();

    let (olga_says, key_says) = ("subject:https://idp.example.com|olga", format!("key:{id}"));
    let free = json!({"scopes": ["inference", "usage:read"]});
    let tight = json!({"scopes": ["inference", "usage:read"], "budgets": {"day": 5}});
    let (prefix, next_prefix) = (&key.record.prefix, &next.record.prefix);
    let expected = [
        ("operator", "account.opened", account.as_str(), json!({"name": "acme"})),
        ("operator", "credit.granted", "pi_1", json!({"amount_nano_usd": 70, "memo": "a grant"})),
        ("operator", "member.added", olga.as_str(), json!({"role": "owner", "name": "Olga"})),
        (olga_says, "key.created", id.as_str(), json!({"name": "laptop", "prefix": prefix, "policy": free})),
        (
            &key_says,
            "key.changed",
            id.as_str(),
            json!({"name": {"from": "laptop", "to": "desk"}, "policy": {"from": free, "to": tight}}),
        ),
        (
            olga_says,
            "key.created",
            next_id.as_str(),
            json!({"name": "desk", "prefix": next_prefix, "policy": tight, "replaces": id}),
        ),
        (
            olga_says,
            "key.rotated",
            id.as_str(),
            json!({"replaced_by": next_id, "expires_at": START.after(Duration::from_secs(60))}),
        ),
        ("operator", "key.revoked", next_id.as_str(), json!({})),
        (olga_says, "member.added", "https://idp.example.com|vera", json!({"role": "viewer", "name": "Vera"})),
        (
            olga_says,
            "member.changed",
            "https://idp.example.com|vera",
            json!({"role": {"from": "viewer", "to": "billing"}}),
        ),
        (olga_says, "member.removed", "https://idp.example.com|vera", json!({"role": "billing", "name": "Vera"})),
        ("operator", "account.frozen", account.as_str(), json!({})),
        ("operator", "account.unfrozen", account.as_str(), json!({})),
    ];
    let expected = expected
        .map(|(actor, action, target, detail)| (actor.to_owned(), action.to_owned(), target.to_owned(), detail));
    let entries = ledger.audit(&account, None, 100).await.unwrap();
    assert_eq!(told(&entries), expected);
    assert!(entries.iter().all(|entry| entry.account == account && entry.at == START));

    let text = serde_json::to_string(&entries).unwrap();
    for key in [&key, &next] {
        let secret = key.secret.expose();
        assert!(!text.contains(&secret[key.record.prefix.len()..]), "a secret is in the audit log");
        assert_ne!(ledger.find_key(&KeyHash::of(secret)).await.unwrap(), None);
    }
    let longest_hex = text.split(|letter: char| !letter.is_ascii_hexdigit()).map(str::len).max();
    assert!(longest_hex < Some(64), "a hash is in the audit log");
    bench.verified().await;
}

#[tokio::test]
async fn the_log_of_one_account_is_read_page_by_page() {
    let bench = Bench::new().await;
    let (account, other) = (bench.customer(1000).await, bench.customer(1000).await);
    for index in 0..4 {
        bench.ledger.create_key(key_of(&account, &format!("k{index}")), &Actor::operator()).await.unwrap();
        bench.ledger.create_key(key_of(&other, "other"), &Actor::operator()).await.unwrap();
    }
    // Charges, and the operator's account that they open, are nobody's change.
    bench.ledger.hold(hold("h", &account, 500, bench.in_secs(60))).await.unwrap();
    bench.ledger.capture(capture("h", "r", 200, true)).await.unwrap();

    let all = bench.ledger.audit(&account, None, 100).await.unwrap();
    assert_eq!(all.len(), 6, "opened, credited, four keys");
    assert!(all.is_sorted_by(|newer, older| newer.seq > older.seq));
    let first = bench.ledger.audit(&account, None, 4).await.unwrap();
    let second = bench.ledger.audit(&account, Some(first[3].seq), 4).await.unwrap();
    assert_eq!([first, second].concat(), all);
    assert!(bench.ledger.audit(&account, Some(all[5].seq), 4).await.unwrap().is_empty());
    bench.verified().await;
}
