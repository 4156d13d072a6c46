//! API keys: shown once, found by hash, revoked for good.

use std::time::Duration;

use peerway_billing::{AccountId, Actor, KeyHash, KeyId, LedgerError};

use crate::support::{Bench, START, key_of};

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
    for entry in std::fs::read_dir(bench.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(body.len()).any(|window| window == body.as_bytes()), "the secret is on disk");
    }
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
