//! API keys: shown once, found by hash, revoked for good.

use std::time::Duration;

use peerway_billing::{
    AccountId, Actor, BudgetLimits, KeyChange, KeyHash, KeyId, KeyPolicy, KeyState, KeyTerms, LedgerError, Scope,
};

use super::support::{Bench, START, TestDatabase, key_of, nanos};

#[tokio::test]
async fn a_key_is_found_by_its_secret_and_not_kept_in_clear() {
    let bench = Bench::new().await;
    let account = bench.customer(0).await;
    let key = bench.ledger.create_key(key_of(&account, "laptop"), &Actor::operator()).await.unwrap();
    let secret = key.secret.expose().to_owned();
    let body = secret.strip_prefix("sk-pw-").unwrap();
    assert!(body.len() >= 43 && body.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{secret}");
    assert_eq!(key.record.prefix, secret[..10]);

    assert_eq!(bench.ledger.find_key(&KeyHash::of(&secret)).await.unwrap(), Some(key.record.clone()));
    assert_eq!(bench.ledger.find_key(&KeyHash::of("sk-pw-wrong")).await.unwrap(), None);
    assert_eq!(bench.ledger.find_key(&KeyHash::of("")).await.unwrap(), None);

    bench.ledger.close().await;
    let kept = bench.database.kept().await;
    let finds = |text: &str| kept.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(finds(key.record.id.as_str()) && !finds(body), "the secret is on disk");
}

#[tokio::test]
async fn a_revoked_key_stays_revoked() {
    let bench = Bench::new().await;
    let account = bench.customer(0).await;
    let key = bench.ledger.create_key(key_of(&account, "laptop"), &Actor::operator()).await.unwrap();
    let other = bench.ledger.create_key(key_of(&account, "phone"), &Actor::operator()).await.unwrap();

    bench.hand.advance(Duration::from_secs(10));
    let at = START.after(Duration::from_secs(10));
    assert_eq!(bench.ledger.revoke_key(&key.record.id, &Actor::operator()).await.unwrap().revoked_at, Some(at));
    bench.hand.advance(Duration::from_secs(10));
    assert_eq!(bench.ledger.revoke_key(&key.record.id, &Actor::operator()).await.unwrap().revoked_at, Some(at));

    let found = bench.ledger.find_key(&KeyHash::of(key.secret.expose())).await.unwrap().unwrap();
    assert_eq!(found.revoked_at, Some(at));
    let listed = bench.ledger.list_keys(Some(&account)).await.unwrap();
    assert_eq!(listed, [found, other.record.clone()]);
    assert_eq!(bench.ledger.list_keys(None).await.unwrap().len(), 2);
    bench.verified().await;
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let bench = Bench::new().await;
    let nobody = AccountId::new("acct_nobody").unwrap();
    let missing = |error: LedgerError| matches!(error, LedgerError::NotFound { .. });
    assert!(missing(bench.ledger.create_key(key_of(&nobody, "x"), &Actor::operator()).await.unwrap_err()));
    assert!(missing(
        bench
            .ledger
            .revoke_key(
                &KeyId::new("key_'; DROP TABLE keys;--").unwrap_or(KeyId::new("k").unwrap()),
                &Actor::operator()
            )
            .await
            .unwrap_err()
    ));
    assert!(missing(bench.ledger.account(&nobody).await.unwrap_err()));
    assert!(bench.ledger.create_key(key_of(&AccountId::platform_fees(), "x"), &Actor::operator()).await.is_err());
    assert!(bench.ledger.create_key(key_of(&bench.customer(0).await, "two\nlines"), &Actor::operator()).await.is_err());
    bench.verified().await;
}

fn in_secs(secs: u64) -> peerway_billing::Timestamp {
    START.after(Duration::from_secs(secs))
}

fn until(secs: u64) -> KeyPolicy {
    KeyPolicy { expires_at: Some(in_secs(secs)), ..KeyPolicy::default() }
}

fn field(error: LedgerError) -> &'static str {
    match error {
        LedgerError::Policy(error) => error.field(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_policy_is_kept_with_the_key_and_changed_as_a_whole() {
    let bench = Bench::new().await;
    let account = bench.customer(0).await;
    let budgets = BudgetLimits { month: Some(nanos(9)), ..BudgetLimits::default() };
    let models = Some(vec!["b".to_owned(), "a".to_owned()]);
    let policy = KeyPolicy { scopes: vec![Scope::KeysRead], models, budgets, ..until(60) };
    let terms = KeyTerms { policy: policy.clone(), ..key_of(&account, "tight") };
    let key = bench.ledger.create_key(terms, &Actor::operator()).await.unwrap();
    let kept = KeyPolicy { models: Some(vec!["a".to_owned(), "b".to_owned()]), ..policy };
    assert_eq!(key.record.policy, kept);
    let id = &key.record.id;
    assert_eq!(bench.ledger.key(id).await.unwrap(), key.record);
    assert_eq!(bench.ledger.find_key(&KeyHash::of(key.secret.expose())).await.unwrap(), Some(key.record.clone()));

    let named = KeyChange { name: Some("renamed".to_owned()), policy: None };
    let renamed = bench.ledger.update_key(id, named, &Actor::operator()).await.unwrap();
    assert_eq!((renamed.name.as_str(), &renamed.policy), ("renamed", &kept));
    let opened = KeyChange { name: None, policy: Some(KeyPolicy::default()) };
    let opened = bench.ledger.update_key(id, opened, &Actor::operator()).await.unwrap();
    assert_eq!((opened.name.as_str(), &opened.policy), ("renamed", &KeyPolicy::default()));
    assert_eq!(bench.ledger.key(id).await.unwrap(), opened);
    let json = serde_json::to_string(&opened).unwrap();
    assert_eq!(serde_json::from_str::<peerway_billing::KeyRecord>(&json).unwrap(), opened);
    bench.verified().await;
}

#[tokio::test]
async fn a_policy_out_of_bounds_is_refused() {
    let bench = Bench::new().await;
    let account = bench.customer(0).await;
    let make = |policy| bench.ledger.create_key(KeyTerms { policy, ..key_of(&account, "k") }, &Actor::Operator);
    assert_eq!(field(make(KeyPolicy { models: Some(vec![]), ..KeyPolicy::default() }).await.unwrap_err()), "models");
    assert_eq!(field(make(until(0)).await.unwrap_err()), "expires_at");
    assert_eq!(bench.ledger.list_keys(Some(&account)).await.unwrap(), []);

    let key = make(until(60)).await.unwrap().record;
    bench.hand.advance(Duration::from_secs(100));
    let change = |policy| KeyChange { name: None, policy: Some(policy) };
    let past = bench.ledger.update_key(&key.id, change(until(70)), &Actor::operator()).await.unwrap_err();
    assert_eq!(field(past), "expires_at");
    let scopes = vec![Scope::Inference];
    let same = bench.ledger.update_key(&key.id, change(KeyPolicy { scopes, ..until(60) }), &Actor::operator()).await;
    assert_eq!(same.unwrap().policy.scopes, [Scope::Inference], "an expiry that stays may be past");
    let later = bench.ledger.update_key(&key.id, change(until(200)), &Actor::operator()).await.unwrap();
    assert_eq!(later.state(bench.clock.now()), KeyState::Active);
    bench.verified().await;
}

#[tokio::test]
async fn a_key_ends_with_its_expiry_and_is_still_found() {
    let bench = Bench::new().await;
    let account = bench.customer(0).await;
    let terms = KeyTerms { policy: until(60), ..key_of(&account, "short") };
    let key = bench.ledger.create_key(terms, &Actor::operator()).await.unwrap();
    bench.hand.advance(Duration::from_secs(60));
    let found = bench.ledger.find_key(&KeyHash::of(key.secret.expose())).await.unwrap().unwrap();
    assert_eq!(found, key.record);
    assert_eq!(found.state(START.after(Duration::from_millis(59_999))), KeyState::Active);
    assert_eq!(found.state(in_secs(60)), KeyState::Expired);
    let revoked = bench.ledger.revoke_key(&found.id, &Actor::operator()).await.unwrap();
    assert_eq!(revoked.state(START), KeyState::Revoked);

    let change = KeyChange { name: Some("x".to_owned()), policy: None };
    let error = bench.ledger.update_key(&found.id, change, &Actor::operator()).await.unwrap_err();
    assert_eq!(error, LedgerError::KeyEnded { key: found.id, state: KeyState::Revoked });
    bench.verified().await;
}

#[tokio::test]
async fn a_rotated_key_works_beside_its_successor_for_a_while() {
    let bench = Bench::new().await;
    let account = bench.customer(0).await;
    let actor = Actor::operator();
    let terms = KeyTerms { policy: until(1000), ..key_of(&account, "laptop") };
    let old = bench.ledger.create_key(terms, &actor).await.unwrap();
    let id = old.record.id.clone();
    let new = bench.ledger.rotate_key(&id, Duration::from_secs(60), &actor).await.unwrap();
    assert_ne!(new.record.id, id);
    assert_ne!(new.secret.expose(), old.secret.expose());
    assert_eq!((&old.record.root, &new.record.root), (&id, &id));
    assert_eq!((&new.record.account, new.record.name.as_str()), (&account, "laptop"));
    assert_eq!(new.record.policy, until(1000), "the successor lives as long as the first would have");
    let rotated = bench.ledger.find_key(&KeyHash::of(old.secret.expose())).await.unwrap().unwrap();
    assert_eq!((&rotated.policy, &rotated.replaced_by), (&until(60), &Some(new.record.id.clone())));
    assert_eq!(bench.ledger.find_key(&KeyHash::of(new.secret.expose())).await.unwrap(), Some(new.record.clone()));

    let twice = bench.ledger.rotate_key(&id, Duration::ZERO, &actor).await.unwrap_err();
    assert_eq!(twice, LedgerError::KeyReplaced { key: id.clone(), by: new.record.id.clone() });
    let long = Duration::from_secs(30 * 86_400 + 1);
    assert!(matches!(bench.ledger.rotate_key(&new.record.id, long, &actor).await, Err(LedgerError::Invalid(_))));

    // Nothing of an overlap ends it at once, and a longer one than it had to live ends it no later.
    let third = bench.ledger.rotate_key(&new.record.id, Duration::ZERO, &actor).await.unwrap();
    assert_eq!(third.record.root, id, "the first of all, not the one before");
    assert_eq!(bench.ledger.key(&new.record.id).await.unwrap().state(START), KeyState::Expired);
    bench.ledger.rotate_key(&third.record.id, Duration::from_secs(5000), &actor).await.unwrap();
    assert_eq!(bench.ledger.key(&third.record.id).await.unwrap().policy, until(1000));
    let ended = bench.ledger.rotate_key(&new.record.id, Duration::ZERO, &actor).await.unwrap_err();
    assert!(matches!(ended, LedgerError::KeyEnded { state: KeyState::Expired, .. }), "{ended}");
    bench.verified().await;
}

#[tokio::test]
async fn a_replaced_key_lives_no_longer() {
    let bench = Bench::new().await;
    let account = bench.customer(0).await;
    let actor = Actor::operator();
    let old = bench.ledger.create_key(key_of(&account, "laptop"), &actor).await.unwrap().record.id;
    let new = bench.ledger.rotate_key(&old, Duration::from_secs(60), &actor).await.unwrap().record.id;
    let replaced = LedgerError::KeyReplaced { key: old.clone(), by: new.clone() };
    let change = |key, policy| bench.ledger.update_key(key, KeyChange { name: None, policy: Some(policy) }, &actor);
    for longer in [KeyPolicy::default(), until(61)] {
        assert_eq!(change(&old, longer).await.unwrap_err(), replaced);
    }
    assert_eq!(bench.ledger.key(&old).await.unwrap().policy, until(60));

    let scopes = vec![Scope::Inference];
    let fewer = KeyPolicy { scopes: scopes.clone(), ..until(60) };
    assert_eq!(change(&old, fewer.clone()).await.unwrap().policy, fewer);
    assert_eq!(change(&old, until(30)).await.unwrap().policy, until(30));
    assert_eq!(change(&old, until(60)).await.unwrap_err(), replaced, "what was taken from it does not come back");
    bench.hand.advance(Duration::from_secs(30));
    assert_eq!(change(&old, until(90)).await.unwrap_err(), replaced, "not after its end either");
    assert_eq!(change(&new, until(90)).await.unwrap().policy, until(90));
    bench.verified().await;
}
