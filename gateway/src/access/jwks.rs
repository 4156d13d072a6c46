//! The public keys of an identity provider, and which of them may have signed a token.
//!
//! A key is used for nothing but what it is for: its type, its curve and, where it says, its `alg`, `use` and `key_ops`
//! decide which algorithms it can verify. So a token cannot make a public RSA key an HMAC secret by its header, and a
//! shared secret (`oct`), which a published set must not contain, is never a key. One key that cannot be read is left
//! out; it does not take the others with it.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// Keys of one set that are looked at.
const MAX_KEYS: usize = 64;

/// The keys that can verify something.
#[derive(Debug)]
pub(super) struct KeySet(Vec<Usable>);

#[derive(Debug)]
struct Usable {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// Reads a JWK set.
    pub(super) fn parse(document: &[u8]) -> Result<Self, String> {
        let Document { keys } =
            serde_json::from_slice(document).map_err(|error| format!("it is no key set: {error}"))?;
        let usable: Vec<Usable> = keys.into_iter().take(MAX_KEYS).filter_map(usable).collect();
        if usable.is_empty() { Err("none of its keys can verify a signature".to_owned()) } else { Ok(Self(usable)) }
    }

    /// The key with exactly this name that can verify this algorithm. Without a name, the only key of the set.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let found = match (id, self.0.as_slice()) {
            (None, [only]) => Some(only).filter(|key| key.algorithms.contains(&algorithm)),
            (None, _) => None,
            (Some(id), keys) => {
                keys.iter().find(|key| key.id.as_deref() == Some(id) && key.algorithms.contains(&algorithm))
            }
        };
        found.map(|found| &found.key)
    }
}

fn usable(value: serde_json::Value) -> Option<Usable> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let common = &jwk.common;
    let is_for_signatures = common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature);
    let verifies = common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    let mut algorithms = algorithms(&jwk.algorithm);
    if let Some(only) = common.key_algorithm {
        algorithms.retain(|algorithm| KeyAlgorithm::from(*algorithm) == only);
    }
    if !is_for_signatures || !verifies || algorithms.is_empty() {
        return None;
    }
    Some(Usable { id: common.key_id.clone(), algorithms, key: DecodingKey::from_jwk(&jwk).ok()? })
}

/// What a key of this type can verify.
fn algorithms(parameters: &AlgorithmParameters) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    match parameters {
        AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => vec![ES256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => vec![ES384],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => vec![EdDSA],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::access::testing::{ed25519_jwk, rsa_jwk};

    fn set(keys: &[Value]) -> Result<KeySet, String> {
        KeySet::parse(json!({"keys": keys}).to_string().as_bytes())
    }

    fn with(mut key: Value, field: &str, value: Value) -> Value {
        key[field] = value;
        key
    }

    #[test]
    fn a_key_verifies_only_what_it_is_for() {
        let keys = set(&[rsa_jwk("r"), ed25519_jwk("e")]).unwrap();
        assert!(keys.find(Some("r"), Algorithm::RS256).is_some() && keys.find(Some("e"), Algorithm::EdDSA).is_some());
        for (id, algorithm) in [
            (Some("r"), Algorithm::HS256),
            (Some("r"), Algorithm::EdDSA),
            (Some("e"), Algorithm::RS256),
            (Some("R"), Algorithm::RS256),
            (Some(""), Algorithm::RS256),
            (None, Algorithm::RS256),
        ] {
            assert!(keys.find(id, algorithm).is_none(), "{id:?} {algorithm:?}");
        }
    }

    #[test]
    fn a_token_without_a_name_is_verified_by_an_only_key() {
        let one = set(&[rsa_jwk("r")]).unwrap();
        assert!(one.find(None, Algorithm::RS256).is_some() && one.find(None, Algorithm::ES256).is_none());
    }

    #[test]
    fn what_is_no_public_signing_key_is_left_out() {
        let secret = json!({"kty": "oct", "kid": "r", "k": "c2VjcmV0"});
        for unusable in [
            secret,
            with(rsa_jwk("r"), "use", json!("enc")),
            with(rsa_jwk("r"), "key_ops", json!(["encrypt"])),
            with(rsa_jwk("r"), "alg", json!("HS256")),
            with(rsa_jwk("r"), "alg", json!("RSA-OAEP")),
            with(rsa_jwk("r"), "kid", json!(7)),
            with(ed25519_jwk("r"), "crv", json!("X25519")),
            json!({"kty": "RSA"}),
            json!("RSA"),
        ] {
            assert!(set(std::slice::from_ref(&unusable)).is_err(), "{unusable}");
            let beside = set(&[unusable.clone(), rsa_jwk("good")]).unwrap();
            assert!(beside.find(Some("good"), Algorithm::RS256).is_some(), "{unusable}");
        }
        for nonsense in ["", "[]", "{}", r#"{"keys":"none"}"#, r#"{"keys":[]}"#] {
            assert!(KeySet::parse(nonsense.as_bytes()).is_err(), "{nonsense}");
        }
        let bound = set(&[with(rsa_jwk("r"), "alg", json!("RS256"))]).unwrap();
        assert!(bound.find(Some("r"), Algorithm::PS256).is_none() && bound.find(Some("r"), Algorithm::RS256).is_some());
    }
}
