//! Keys: looked up, believed for half a second, and held to their policies.
//!
//! Believing keeps the ledger out of the hot path, and a key that was revoked, by whatever process, has stopped working
//! within a second. Keys that do not exist are remembered the same way, in a bounded cache, so that guessing costs the
//! guesser more than the gateway. What depends on the moment or the address is judged anew for every request.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use peerway_billing::{Actor, BudgetScope, KeyHash, KeyId, KeyRecord, KeyState, Ledger, LedgerError, Limits};
use peerway_openapi::{ApiError, ErrorKind};
use tracing::error;

use super::credential::refused;
use super::principal::Principal;

/// How long a looked-up key is believed.
pub(super) const BELIEVED_FOR: Duration = Duration::from_millis(500);
/// Keys remembered at a time.
pub(super) const REMEMBERED: u64 = 100_000;

/// A key that exists, and who it stands for.
#[derive(Debug)]
pub(super) struct KnownKey {
    pub(super) record: KeyRecord,
    pub(super) principal: Arc<Principal>,
}

#[derive(Debug)]
pub(super) struct Keys {
    ledger: Ledger,
    /// For keys whose policy does not say.
    defaults: Limits,
    by_hash: Cache<KeyHash, Option<Arc<KnownKey>>>,
    by_id: Cache<KeyId, Option<Arc<KnownKey>>>,
}

impl Keys {
    pub(super) fn new(ledger: Ledger, defaults: Limits) -> Self {
        let by_hash = Cache::builder().max_capacity(REMEMBERED).time_to_live(BELIEVED_FOR).build();
        let by_id = Cache::builder().max_capacity(REMEMBERED).time_to_live(BELIEVED_FOR).build();
        Self { ledger, defaults, by_hash, by_id }
    }

    /// The key with this secret, if it may be used now and from there.
    pub(super) async fn with_secret(&self, secret: &str, from: Option<IpAddr>) -> Result<Arc<KnownKey>, ApiError> {
        let hash = KeyHash::of(secret);
        let found = match self.by_hash.get(&hash) {
            Some(found) => found,
            None => {
                let found = self.ledger.find_key(&hash).await.map_err(|cause| unavailable(&cause))?;
                let known = found.map(|record| self.know(record));
                self.by_hash.insert(hash, known.clone());
                known
            }
        };
        self.usable(found.ok_or_else(|| refused("This key does not exist. Check it, or make a new one."))?, from)
    }

    /// The key with this id, if it may be used now and from there.
    pub(super) async fn with_id(&self, id: &KeyId, from: Option<IpAddr>) -> Result<Arc<KnownKey>, ApiError> {
        let found = match self.by_id.get(id) {
            Some(found) => found,
            None => {
                let known = match self.ledger.key(id).await {
                    Ok(record) => Some(self.know(record)),
                    Err(LedgerError::NotFound { .. }) => None,
                    Err(cause) => return Err(unavailable(&cause)),
                };
                self.by_id.insert(id.clone(), known.clone());
                known
            }
        };
        self.usable(found.ok_or_else(|| refused("The key of this token does not exist."))?, from)
    }

    fn usable(&self, known: Arc<KnownKey>, from: Option<IpAddr>) -> Result<Arc<KnownKey>, ApiError> {
        match known.record.state(self.ledger.clock().now()) {
            KeyState::Active => {}
            KeyState::Expired => return Err(refused("This key has expired. Use a newer one.")),
            KeyState::Revoked => return Err(refused("This key was revoked. Use another one.")),
        }
        let policy = &known.record.policy;
        match from {
            Some(address) if !policy.allows_ip(address) => {
                let message =
                    format!("This key may not be used from {address}. Its policy names the addresses it may.");
                Err(ApiError::new(ErrorKind::NotAllowed, message))
            }
            None if policy.allowed_ips.is_some() => {
                let message = "This key may be used from some addresses only, and this request's is not known.";
                Err(ApiError::new(ErrorKind::NotAllowed, message))
            }
            _ => Ok(known),
        }
    }

    fn know(&self, record: KeyRecord) -> Arc<KnownKey> {
        let policy = &record.policy;
        let principal = Principal {
            account: record.account.clone(),
            key: Some(record.id.clone()),
            root: Some(record.root.clone()),
            actor: Actor::key(record.id.clone()),
            token: None,
            scopes: policy.scopes.clone(),
            models: policy.models.clone(),
            limits: with_defaults(policy.limits, self.defaults),
            // Counted without limits too: another key of the chain may have some.
            budgets: vec![(BudgetScope::Key(record.root.clone()), policy.budgets)],
            expires_at: policy.expires_at,
        };
        Arc::new(KnownKey { record, principal: Arc::new(principal) })
    }
}

/// A policy's limits, and the gateway's where it says nothing.
fn with_defaults(limits: Limits, defaults: Limits) -> Limits {
    Limits {
        requests_per_minute: limits.requests_per_minute.or(defaults.requests_per_minute),
        tokens_per_minute: limits.tokens_per_minute.or(defaults.tokens_per_minute),
        concurrent: limits.concurrent.or(defaults.concurrent),
    }
}

/// The refusal of a request whose proof the ledger could not confirm.
pub(super) fn unavailable(cause: &LedgerError) -> ApiError {
    error!(%cause, "who is calling could not be looked up");
    ApiError::new(ErrorKind::LedgerUnavailable, "The key cannot be checked at the moment. Try again.")
}
