//! The name that a caller gives a request, and what the request is.

use http::{HeaderMap, HeaderName, Uri};
use peerway_billing::AccountId;
use peerway_openapi::{ApiError, ErrorKind};
use sha2::{Digest, Sha256};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Bytes of a name, as Stripe has it.
const LONGEST: usize = 255;

/// Names a request of one account. Hashed: the names of files are made of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RequestKey(pub(super) String);

/// What a request is, so that another one under the same name is noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint(pub(super) String);

impl RequestKey {
    /// The name in a request's headers. None: it has none.
    pub(super) fn of(headers: &HeaderMap, account: &AccountId) -> Result<Option<Self>, ApiError> {
        let mut values = headers.get_all(&HEADER).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let wrong = |message: &str| Err(ApiError::new(ErrorKind::InvalidRequest, message).at("Idempotency-Key"));
        if values.next().is_some() {
            return wrong("More than one Idempotency-Key. Send one.");
        }
        if value.is_empty() || value.len() > LONGEST {
            return wrong("An Idempotency-Key has 1 to 255 bytes.");
        }
        Ok(Some(Self(hash(&[account.as_str().as_bytes(), value.as_bytes()]))))
    }
}

impl Fingerprint {
    pub(super) fn of(uri: &Uri, body: &[u8]) -> Self {
        Self(hash(&[uri.path().as_bytes(), body]))
    }
}

/// SHA-256 over parts, each with its length in front, so that no two lists of parts are the same bytes.
fn hash(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hex::encode(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str], account: &str) -> Result<Option<RequestKey>, ApiError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, value.parse().unwrap());
        }
        RequestKey::of(&headers, &AccountId::new(account).unwrap())
    }

    #[test]
    fn a_name_is_of_one_account() {
        assert_eq!(of(&[], "a").unwrap(), None);
        assert_eq!(of(&["x"], "a").unwrap(), of(&["x"], "a").unwrap());
        assert_ne!(of(&["x"], "a").unwrap(), of(&["x"], "b").unwrap());
        // The end of the account's name is not the beginning of the key's.
        assert_ne!(of(&["bx"], "a").unwrap(), of(&["x"], "ab").unwrap());
    }

    #[test]
    fn a_name_is_one_and_has_bounds() {
        for wrong in [&["a", "b"][..], &[""], &[&"x".repeat(256)]] {
            assert_eq!(of(wrong, "a").unwrap_err().param(), Some("Idempotency-Key"));
        }
    }
}
