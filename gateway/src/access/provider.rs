//! An outside identity provider: what it must have said for its token to be believed.
//!
//! The token chooses nothing. Its `iss` only says which provider's rules it is held to; the algorithm must be one that
//! the operator allows and that the named key can verify; signature, issuer and audience are jsonwebtoken's to check, and
//! moments are checked by our own clock.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, Validation, decode};
use peerway_billing::Clock;
use peerway_openapi::ApiError;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::claims::{NumericDate, Validity};
use super::credential::refused;
use super::jws::Unverified;
use super::key_cache::KeyCache;
use super::provider_config::IdentityProviderConfig;

#[derive(Debug)]
pub(super) struct Provider {
    pub(super) config: IdentityProviderConfig,
    algorithms: Vec<Algorithm>,
    keys: Arc<KeyCache>,
    clock: Clock,
}

/// What a token says that was found to be its provider's word.
#[derive(Debug, Deserialize)]
pub(super) struct VerifiedClaims {
    pub(super) sub: String,
    pub(super) exp: NumericDate,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl VerifiedClaims {
    /// Any other claim. `null` counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.others.get(name).filter(|value| !value.is_null())
    }
}

impl Provider {
    pub(super) fn new(config: IdentityProviderConfig, clock: Clock) -> Result<Self, String> {
        config.check()?;
        let keys = Arc::new(KeyCache::new(config.source()?, clock.clone()));
        let algorithms = config.algorithms.iter().map(|algorithm| algorithm.algorithm()).collect();
        Ok(Self { config, algorithms, keys, clock })
    }

    /// Looks at the provider's keys again and again, until it is dropped.
    pub(super) async fn follow_keys(&self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(self.config.refresh_s));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.keys.refresh().await;
        }
    }

    /// What the token says, if this provider said it, of this gateway and for this moment.
    pub(super) async fn verify(&self, token: &Unverified<'_>) -> Result<VerifiedClaims, ApiError> {
        if !self.algorithms.contains(&token.algorithm) {
            return Err(refused("The token is signed with an algorithm that is not allowed for its issuer."));
        }
        let key = self.keys.key(token.key_id.as_deref(), token.algorithm).await?;
        let mut rules = Validation::new(token.algorithm);
        rules.set_issuer(&[&self.config.issuer]);
        rules.set_audience(&[&self.config.audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // By our own clock, below.
        rules.validate_exp = false;
        let claims = decode::<VerifiedClaims>(token.token, &key, &rules).map_err(|cause| explain(&cause))?.claims;
        let validity = Validity { expires: claims.exp, not_before: claims.nbf, issued: claims.iat };
        validity.check(self.clock.now(), self.config.leeway_s)?;
        Ok(claims)
    }
}

/// Says which check failed, and nothing of what the token says.
fn explain(cause: &Error) -> ApiError {
    match cause.kind() {
        ErrorKind::InvalidSignature => refused("The token's signature is wrong."),
        ErrorKind::InvalidAudience => refused("The token is for another audience (`aud`) than this gateway."),
        ErrorKind::InvalidIssuer => refused("The token is from another issuer (`iss`) than it says."),
        ErrorKind::MissingRequiredClaim(claim) => refused(&format!("The token has no usable `{claim}`.")),
        _ => refused("The token cannot be verified. Get a new one."),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use peerway_billing::{ManualClock, Timestamp};
    use serde_json::json;

    use super::*;
    use crate::access::jws::peek;
    use crate::access::testing::{Signer, TestProvider, ed25519_jwk, p256_jwk, rsa_jwk};

    const NOW: i64 = 1_800_000_000;

    struct Setting {
        idp: TestProvider,
        provider: Provider,
        hand: ManualClock,
    }

    impl Setting {
        async fn new() -> Self {
            let idp = TestProvider::start().await;
            idp.serve_keys(&[rsa_jwk("rsa"), ed25519_jwk("ed"), p256_jwk("p256")]);
            let (clock, hand) = Clock::manual(Timestamp::from_millis(NOW * 1000));
            let provider = Provider::new(idp.config(), clock).unwrap();
            Self { idp, provider, hand }
        }

        fn claims(&self) -> Value {
            json!({"iss": self.idp.issuer(), "aud": "peerway", "sub": "ada", "iat": NOW, "exp": NOW + 300})
        }

        fn but(&self, field: &str, value: Value) -> Value {
            let mut claims = self.claims();
            claims[field] = value;
            claims
        }

        async fn verify(&self, token: &str) -> Result<VerifiedClaims, ApiError> {
            self.provider.verify(&peek(token)?).await
        }
    }

    fn rs256(claims: &Value) -> String {
        Signer::rsa().sign(&json!({"alg": "RS256", "kid": "rsa"}), claims)
    }

    #[tokio::test]
    async fn an_honest_token_of_each_algorithm_is_believed() {
        let setting = Setting::new().await;
        let claims = setting.claims();
        for (signer, algorithm, key) in
            [(Signer::rsa(), "RS256", "rsa"), (Signer::p256(), "ES256", "p256"), (Signer::ed25519(), "EdDSA", "ed")]
        {
            let verified = setting.verify(&signer.sign(&json!({"alg": algorithm, "kid": key}), &claims)).await;
            assert_eq!(verified.unwrap().sub, "ada", "{algorithm}");
        }
        let several = rs256(&setting.but("aud", json!(["other", "peerway"])));
        assert!(setting.verify(&several).await.is_ok());
    }

    #[tokio::test]
    async fn no_forged_header_is_believed() {
        let setting = Setting::new().await;
        let claims = setting.claims();
        assert!(setting.verify(&rs256(&claims)).await.is_ok());
        let (honest, stranger) = (Signer::rsa(), Signer::other_rsa());
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let unsigned = |alg: &str| format!("{}.{}.", part(&json!({"alg": alg, "kid": "rsa"})), part(&claims));
        let jwk = rsa_jwk("rsa");
        let public = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
        let by_public_key = Signer::shared(&public);
        for (what, token) in [
            ("none", unsigned("none")),
            ("None", unsigned("None")),
            ("no signature", unsigned("RS256")),
            ("a public key as a secret", by_public_key.sign(&json!({"alg": "HS256", "kid": "rsa"}), &claims)),
            ("another's key", stranger.sign(&json!({"alg": "RS256", "kid": "rsa"}), &claims)),
            ("brought along", stranger.sign(&json!({"alg": "RS256", "kid": "rsa", "jwk": jwk}), &claims)),
            ("at a URL", stranger.sign(&json!({"alg": "RS256", "kid": "rsa", "jku": "http://127.0.0.1:1/"}), &claims)),
            ("a certificate", stranger.sign(&json!({"alg": "RS256", "kid": "rsa", "x5c": ["AA=="]}), &claims)),
            ("no name among several keys", honest.sign(&json!({"alg": "RS256"}), &claims)),
            ("an unknown name", honest.sign(&json!({"alg": "RS256", "kid": "../../dev/null"}), &claims)),
            ("an SQL name", honest.sign(&json!({"alg": "RS256", "kid": "x' OR 'a'='a"}), &claims)),
            ("the name of another kind of key", honest.sign(&json!({"alg": "RS256", "kid": "ed"}), &claims)),
            ("not allowed", honest.sign(&json!({"alg": "RS512", "kid": "rsa"}), &claims)),
            ("critical", honest.sign(&json!({"alg": "RS256", "kid": "rsa", "crit": ["b64"], "b64": false}), &claims)),
            ("critical, empty", honest.sign(&json!({"alg": "RS256", "kid": "rsa", "crit": []}), &claims)),
        ] {
            let refused = setting.verify(&token).await.unwrap_err();
            assert_eq!(refused.kind(), peerway_openapi::ErrorKind::InvalidKey, "{what}");
        }
        // Nothing but the configured address was ever asked.
        assert_eq!(setting.idp.asked_elsewhere(), 0);
    }

    #[tokio::test]
    async fn every_claim_must_fit() {
        let setting = Setting::new().await;
        let absent = Value::Null;
        for (field, value) in [
            ("exp", absent.clone()),
            ("exp", json!("tomorrow")),
            ("exp", json!(NOW - 30)),
            ("nbf", json!(NOW + 31)),
            ("iat", json!(NOW + 31)),
            ("iat", json!("now")),
            ("aud", absent.clone()),
            ("aud", json!("other")),
            ("aud", json!("peerway.example.com")),
            ("aud", json!([])),
            ("aud", json!(["peerway", 7])),
            ("iss", json!("https://other.example.com")),
            ("iss", json!([setting.idp.issuer()])),
            ("sub", absent.clone()),
            ("sub", json!(7)),
        ] {
            let claims = setting.but(field, value.clone());
            assert!(setting.verify(&rs256(&claims)).await.is_err(), "{field} {value}");
        }
        for (field, value) in
            [("exp", json!(NOW - 29)), ("nbf", json!(NOW + 30)), ("iat", json!(NOW + 30)), ("iat", absent)]
        {
            let claims = setting.but(field, value.clone());
            assert!(setting.verify(&rs256(&claims)).await.is_ok(), "{field} {value}");
        }
        // The very same token, later.
        let token = rs256(&setting.claims());
        setting.hand.advance(Duration::from_secs(329));
        assert!(setting.verify(&token).await.is_ok());
        setting.hand.advance(Duration::from_secs(1));
        assert!(setting.verify(&token).await.is_err());
    }

    #[tokio::test]
    async fn garbage_is_refused() {
        let setting = Setting::new().await;
        let nested =
            format!("{}.{}.x", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#), URL_SAFE_NO_PAD.encode("[".repeat(5000)));
        for token in ["..", "a.b.c", "eyJhbGciOiJSUzI1NiJ9.garbage.garbage", &nested] {
            assert!(setting.verify(token).await.is_err(), "{token}");
        }
        let good = rs256(&setting.claims());
        let mut parts: Vec<&str> = good.split('.').collect();
        let other = URL_SAFE_NO_PAD.encode(setting.but("sub", json!("eve")).to_string());
        parts[1] = &other;
        assert!(setting.verify(&parts.join(".")).await.is_err());
    }
}
