//! Who is calling.
//!
//! A key is looked up by its hash, and what was found is believed for half a second: that keeps the ledger out of the
//! hot path, and a key that was revoked, by whatever process, has stopped working within a second. Keys that do not
//! exist are remembered the same way, in a bounded cache, so that guessing costs the guesser more than the gateway.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use moka::sync::Cache;
use peerway_billing::{AccountId, KeyHash, KeyId, Ledger};
use peerway_openapi::{ApiError, ErrorKind};
use tracing::error;

/// How long a looked-up key is believed.
const BELIEVED_FOR: Duration = Duration::from_millis(500);
/// Keys remembered at a time.
const REMEMBERED: u64 = 100_000;

/// Who a request is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who pays.
    pub account: AccountId,
    /// The key that was shown.
    pub key: KeyId,
}

/// Turns a bearer key into a principal.
#[derive(Debug)]
pub struct Authenticator {
    ledger: Ledger,
    known: Cache<KeyHash, Option<Arc<Principal>>>,
}

impl Authenticator {
    /// An authenticator that asks this ledger.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        let known = Cache::builder().max_capacity(REMEMBERED).time_to_live(BELIEVED_FOR).build();
        Self { ledger, known }
    }

    /// The principal behind a request's `Authorization` header.
    ///
    /// # Errors
    /// `InvalidKey` where there is no usable key, `LedgerUnavailable` where it could not be looked up.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Principal>, ApiError> {
        let presented = bearer_key(headers)?;
        let hash = KeyHash::of(presented);
        let found = match self.known.get(&hash) {
            Some(found) => found,
            None => self.look_up(hash).await?,
        };
        found.ok_or_else(|| refused("This key does not exist or was revoked."))
    }

    async fn look_up(&self, hash: KeyHash) -> Result<Option<Arc<Principal>>, ApiError> {
        let record = self.ledger.find_key(&hash).await.map_err(|cause| {
            error!(%cause, "a key could not be looked up");
            ApiError::new(ErrorKind::LedgerUnavailable, "The key cannot be checked at the moment. Try again.")
        })?;
        let usable = record.filter(|record| record.revoked_at.is_none());
        let found = usable.map(|record| Arc::new(Principal { account: record.account, key: record.id }));
        self.known.insert(hash, found.clone());
        Ok(found)
    }
}

/// The one key of a request. Two `Authorization` headers are refused: which of them counts would be a guess.
fn bearer_key(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(refused("No key. Send the header `Authorization: Bearer sk-pw-…`."));
    };
    if values.next().is_some() {
        return Err(refused("More than one Authorization header. Send one."));
    }
    let text = value.to_str().map_err(|_| refused("The Authorization header is not ASCII."))?;
    let bearer = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match bearer.map(|(_, key)| key.trim()) {
        Some(key) if key.starts_with("sk-pw-") => Ok(key),
        _ => Err(refused("Not a key of this gateway. Send the header `Authorization: Bearer sk-pw-…`.")),
    }
}

fn refused(message: &str) -> ApiError {
    ApiError::new(ErrorKind::InvalidKey, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        bearer_key(&headers).ok().map(str::to_owned)
    }

    #[test]
    fn only_one_bearer_key_is_taken() {
        assert_eq!(key_of(&["Bearer sk-pw-a"]).as_deref(), Some("sk-pw-a"));
        assert_eq!(key_of(&["bearer  sk-pw-a "]).as_deref(), Some("sk-pw-a"));
        for wrong in [&[][..], &["Bearer sk-pw-a", "Bearer sk-pw-b"], &["Basic sk-pw-a"], &["Bearer"], &["sk-pw-a"]] {
            assert_eq!(key_of(wrong), None, "{wrong:?}");
        }
    }
}
