//! The one place where a proof becomes a principal.
//!
//! A token's signature and the ledger's word on its bearer are believed as long as a key is: half a second. Who shows the
//! same token with every request, as all callers do, then pays for one verification in that time.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, Uri};
use ipnet::IpNet;
use moka::sync::Cache;
use peerway_billing::{AccountId, KeyHash, Ledger, Limits};
use peerway_openapi::ApiError;

use super::client::{PeerAddr, client_ip};
use super::credential::{Credential, presented, refused};
use super::jws;
use super::keys::{BELIEVED_FOR, Keys, REMEMBERED};
use super::minted::{Mint, MintTerms, Minted};
use super::principal::Principal;
use super::provider::Provider;
use super::provider_config::IdentityProviderConfig;
use super::secret::TokenSecret;
use super::subjects::{Subjects, wanted_account};

/// What an operator sets about who may call.
#[derive(Debug, Clone, Default)]
pub struct AccessSettings {
    /// Proxies whose `x-forwarded-for` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whose tokens are believed.
    pub identity_providers: Vec<IdentityProviderConfig>,
    /// How fast may be asked where no policy says.
    pub default_limits: Limits,
}

/// Turns what a request presents into a principal.
#[derive(Debug)]
pub struct Authenticator {
    keys: Keys,
    mint: Mint,
    providers: Vec<Arc<Provider>>,
    subjects: Subjects,
    trusted_proxies: Vec<IpNet>,
    ledger: Ledger,
    /// Tokens of providers that were found to be good, with the account that was asked for.
    believed: Cache<(KeyHash, Option<AccountId>), Arc<Principal>>,
}

impl Authenticator {
    /// An authenticator that asks this ledger. `peer_id` names the gateway whose own tokens are believed.
    ///
    /// # Errors
    /// Where an identity provider's settings cannot be used; names the field.
    pub fn new(ledger: Ledger, settings: AccessSettings, secret: &TokenSecret, peer_id: &str) -> Result<Self, String> {
        let clock = ledger.clock().clone();
        let provider = |config| Provider::new(config, clock.clone()).map(Arc::new);
        Ok(Self {
            keys: Keys::new(ledger.clone(), settings.default_limits),
            mint: Mint::new(secret, peer_id, clock.clone()),
            providers: settings.identity_providers.into_iter().map(provider).collect::<Result<_, _>>()?,
            subjects: Subjects::new(ledger.clone(), settings.default_limits),
            trusted_proxies: settings.trusted_proxies,
            believed: Cache::builder().max_capacity(REMEMBERED).time_to_live(BELIEVED_FOR).build(),
            ledger,
        })
    }

    /// The principal behind a request. `peer` is the other end of its connection.
    ///
    /// # Errors
    /// `InvalidKey` where there is no usable proof, `NotAllowed` where it may not be used so, `LedgerUnavailable` or
    /// `IdentityUnavailable` where that cannot be found out.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        peer: Option<PeerAddr>,
    ) -> Result<Arc<Principal>, ApiError> {
        let from = client_ip(peer, headers, &self.trusted_proxies);
        match presented(headers, uri)? {
            Credential::Key(secret) => Ok(Arc::clone(&self.keys.with_secret(secret, from).await?.principal)),
            Credential::Token(token) => self.token(token, headers, from).await,
        }
    }

    /// Mints a token under the key of this principal.
    ///
    /// # Errors
    /// `NotAllowed` where it is no key or may not ask models, `ModelNotAllowed` for a model that it may not use.
    pub fn mint(&self, principal: &Principal, terms: MintTerms) -> Result<Minted, ApiError> {
        self.mint.mint(principal, terms)
    }

    /// Keeps the keys of the identity providers fresh, until it is dropped.
    pub async fn follow_providers(&self) {
        futures::future::join_all(self.providers.iter().map(|provider| provider.follow_keys())).await;
    }

    async fn token(&self, token: &str, headers: &HeaderMap, from: Option<IpAddr>) -> Result<Arc<Principal>, ApiError> {
        let wanted = wanted_account(headers)?;
        let name = (KeyHash::of(token), wanted);
        let now = self.ledger.clock().now();
        if let Some(known) = self.believed.get(&name)
            && known.expires_at.is_none_or(|expires_at| now < expires_at)
        {
            return Ok(known);
        }
        let unverified = jws::peek(token)?;
        if unverified.issuer == self.mint.issuer() {
            let claims = self.mint.verify(&unverified)?;
            let key = self.keys.with_id(&claims.sub, from).await?;
            // Not remembered: the key is, and the address counts for every use.
            return claims.principal(&key).map(Arc::new);
        }
        let provider = self.providers.iter().find(|provider| provider.config.issuer == unverified.issuer);
        let provider =
            provider.ok_or_else(|| refused("The token is from an issuer that this gateway does not trust."))?;
        let claims = provider.verify(&unverified).await?;
        let principal = Arc::new(self.subjects.principal(&provider.config, &claims, name.1.as_ref()).await?);
        self.believed.insert(name, Arc::clone(&principal));
        Ok(principal)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use peerway_billing::{Actor, BudgetLimits, BudgetScope, KeyChange, KeyPolicy, Nanos, NewKey, Scope, Timestamp};
    use peerway_openapi::ErrorKind;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use serde_json::json;

    use super::*;
    use crate::access::testing::{Signer, TestLedger, TestProvider, rsa_jwk};

    struct Setting {
        test: TestLedger,
        account: AccountId,
        authenticator: Authenticator,
    }

    impl Setting {
        async fn new(settings: AccessSettings) -> Self {
            let test = TestLedger::new().await;
            let account = test.account().await;
            let authenticator = authenticator(&test, settings, "12D3KooW", 1);
            Self { test, account, authenticator }
        }

        async fn key(&self, policy: KeyPolicy) -> NewKey {
            self.test.key(&self.account, policy).await
        }

        async fn show(&self, secret: &str) -> Result<Arc<Principal>, ApiError> {
            show(&self.authenticator, secret, &[]).await
        }

        /// What the ledger says now, as if half a second had passed.
        fn forget(&mut self) {
            self.authenticator = authenticator(&self.test, AccessSettings::default(), "12D3KooW", 1);
        }
    }

    fn authenticator(test: &TestLedger, settings: AccessSettings, peer_id: &str, secret: u8) -> Authenticator {
        Authenticator::new(test.ledger.clone(), settings, &TokenSecret::of(secret), peer_id).unwrap()
    }

    async fn show(
        authenticator: &Authenticator,
        secret: &str,
        more: &[(&'static str, &str)],
    ) -> Result<Arc<Principal>, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {secret}").parse().unwrap());
        for (name, value) in more {
            headers.insert(*name, value.parse().unwrap());
        }
        let peer = PeerAddr("10.0.0.1:4711".parse().unwrap());
        authenticator.authenticate(&headers, &Uri::from_static("/v1/models"), Some(peer)).await
    }

    fn minted(setting: &Setting, principal: &Principal, terms: MintTerms) -> Result<String, ApiError> {
        setting.authenticator.mint(principal, terms).map(|minted| minted.token)
    }

    fn terms() -> MintTerms {
        MintTerms { expires_in: Duration::from_secs(600), models: None, max_spend: None }
    }

    fn kind(shown: Result<Arc<Principal>, ApiError>) -> Option<ErrorKind> {
        shown.err().map(|error| error.kind())
    }

    #[tokio::test]
    async fn a_key_stands_for_its_account_as_long_as_it_works() {
        let mut setting = Setting::new(AccessSettings::default()).await;
        let now = setting.test.ledger.clock().now();
        let policy = KeyPolicy { expires_at: Some(now.after(Duration::from_secs(60))), ..KeyPolicy::default() };
        let key = setting.key(policy).await;
        let secret = key.secret.expose();
        let principal = setting.show(secret).await.unwrap();
        assert_eq!((&principal.account, principal.key.as_ref()), (&setting.account, Some(&key.record.id)));
        assert_eq!(kind(setting.show("sk-pw-nobody").await), Some(ErrorKind::InvalidKey));
        setting.test.hand.advance(Duration::from_secs(59));
        assert!(setting.show(secret).await.is_ok());
        // Expiry does not wait for what is believed.
        setting.test.hand.advance(Duration::from_secs(1));
        assert_eq!(kind(setting.show(secret).await), Some(ErrorKind::InvalidKey));
        let other = setting.key(KeyPolicy::default()).await;
        assert!(setting.show(other.secret.expose()).await.is_ok());
        setting.test.ledger.revoke_key(&other.record.id, &Actor::operator()).await.unwrap();
        setting.forget();
        assert_eq!(kind(setting.show(other.secret.expose()).await), Some(ErrorKind::InvalidKey));
    }

    #[tokio::test]
    async fn a_key_with_networks_is_used_from_there_only() {
        let proxy =
            AccessSettings { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..AccessSettings::default() };
        let setting = Setting::new(proxy).await;
        let policy = KeyPolicy { allowed_ips: Some(vec!["192.0.2.0/24".parse().unwrap()]), ..KeyPolicy::default() };
        let key = setting.key(policy).await;
        let from = async |forwarded| {
            kind(show(&setting.authenticator, key.secret.expose(), &[("x-forwarded-for", forwarded)]).await)
        };
        assert_eq!(from("192.0.2.7").await, None);
        assert_eq!(from("192.0.2.7, 198.51.100.1").await, Some(ErrorKind::NotAllowed));
        assert_eq!(kind(setting.show(key.secret.expose()).await), Some(ErrorKind::NotAllowed));
        let token = minted(
            &setting,
            &show(&setting.authenticator, key.secret.expose(), &[("x-forwarded-for", "192.0.2.7")]).await.unwrap(),
            terms(),
        )
        .unwrap();
        assert_eq!(kind(setting.show(&token).await), Some(ErrorKind::NotAllowed));
        assert_eq!(kind(show(&setting.authenticator, &token, &[("x-forwarded-for", "192.0.2.7")]).await), None);
    }

    #[tokio::test]
    async fn limits_that_a_policy_does_not_set_are_the_gateways() {
        let defaults = Limits { requests_per_minute: Some(60), concurrent: Some(2), tokens_per_minute: None };
        let setting = Setting::new(AccessSettings { default_limits: defaults, ..AccessSettings::default() }).await;
        let limits = Limits { requests_per_minute: Some(1000), ..Limits::default() };
        let key = setting.key(KeyPolicy { limits, ..KeyPolicy::default() }).await;
        let principal = setting.show(key.secret.expose()).await.unwrap();
        assert_eq!(principal.limits, Limits { requests_per_minute: Some(1000), ..defaults });
    }

    #[tokio::test]
    async fn a_rotated_key_spends_and_asks_as_the_first_of_its_chain() {
        let setting = Setting::new(AccessSettings::default()).await;
        let budgets = BudgetLimits { day: Some(Nanos::new(9)), ..BudgetLimits::default() };
        let first = setting.key(KeyPolicy { budgets, ..KeyPolicy::default() }).await;
        let root = &first.record.id;
        let rotate =
            async |id| setting.test.ledger.rotate_key(id, Duration::from_secs(60), &Actor::operator()).await.unwrap();
        let second = rotate(root).await;
        let third = rotate(&second.record.id).await;
        let old = setting.show(first.secret.expose()).await.unwrap();
        let mut shown = Vec::new();
        for key in [&second, &third] {
            let principal = setting.show(key.secret.expose()).await.unwrap();
            assert_eq!(principal.key.as_ref(), Some(&key.record.id));
            assert_eq!(principal.actor, Actor::key(key.record.id.clone()), "the log names the key that was shown");
            shown.push(setting.show(&minted(&setting, &principal, terms()).unwrap()).await.unwrap());
            shown.push(principal);
        }
        for principal in shown {
            let spends: Vec<_> = principal.budgets().collect();
            assert_eq!(spends, [(BudgetScope::Key(root.clone()), &budgets)]);
            assert_eq!(principal.rate_key(), old.rate_key());
        }
        let other = setting.show(setting.key(KeyPolicy::default()).await.secret.expose()).await.unwrap();
        assert_ne!(other.rate_key(), old.rate_key());
    }

    #[tokio::test]
    async fn a_minted_token_may_no_more_than_it_says_and_no_more_than_its_key() {
        let mut setting = Setting::new(AccessSettings::default()).await;
        let budgets = BudgetLimits { day: Some(Nanos::new(9)), ..BudgetLimits::default() };
        let models = Some(vec!["a".to_owned(), "b".to_owned()]);
        let policy = KeyPolicy { scopes: vec![Scope::Admin], models, budgets, ..KeyPolicy::default() };
        let key = setting.key(policy.clone()).await;
        let parent = setting.show(key.secret.expose()).await.unwrap();
        let wanted = MintTerms { models: Some(vec!["a".to_owned()]), max_spend: Some(Nanos::new(5)), ..terms() };
        let token = minted(&setting, &parent, wanted).unwrap();
        let bearer = setting.show(&token).await.unwrap();
        assert_eq!((&bearer.account, &bearer.key, &bearer.actor), (&parent.account, &parent.key, &parent.actor));
        assert_eq!(bearer.scopes, [Scope::Inference]);
        assert!(bearer.may_use("a").is_ok() && bearer.may_use("b").is_err());
        let spends: Vec<_> = bearer.budgets().collect();
        let own = BudgetLimits { lifetime: Some(Nanos::new(5)), ..BudgetLimits::default() };
        let token_scope = BudgetScope::Token(bearer.token.clone().unwrap());
        assert_eq!(spends, [(BudgetScope::Key(key.record.id.clone()), &budgets), (token_scope, &own)]);
        assert_eq!(bearer.rate_key(), parent.rate_key());

        // It mints nothing, and nobody mints what he may not use.
        assert_eq!(minted(&setting, &bearer, terms()).unwrap_err().kind(), ErrorKind::NotAllowed);
        let more = MintTerms { models: Some(vec!["c".to_owned()]), ..terms() };
        let refused = minted(&setting, &parent, more).unwrap_err();
        assert_eq!((refused.kind(), refused.param()), (ErrorKind::ModelNotAllowed, Some("models")));
        let reader = setting.key(KeyPolicy { scopes: vec![Scope::UsageRead], ..KeyPolicy::default() }).await;
        let reader = setting.show(reader.secret.expose()).await.unwrap();
        assert_eq!(minted(&setting, &reader, terms()).unwrap_err().kind(), ErrorKind::NotAllowed);

        // What is taken from the key is taken from its tokens.
        let narrower = KeyPolicy { models: Some(vec!["b".to_owned()]), ..policy };
        let change = KeyChange { policy: Some(narrower), name: None };
        setting.test.ledger.update_key(&key.record.id, change, &Actor::operator()).await.unwrap();
        setting.forget();
        assert!(setting.show(&token).await.unwrap().may_use("a").is_err());
        setting.test.ledger.revoke_key(&key.record.id, &Actor::operator()).await.unwrap();
        setting.forget();
        assert_eq!(kind(setting.show(&token).await), Some(ErrorKind::InvalidKey));
    }

    #[tokio::test]
    async fn a_minted_token_ends_when_it_says_or_with_its_key() {
        let setting = Setting::new(AccessSettings::default()).await;
        let now = setting.test.ledger.clock().now();
        let policy = KeyPolicy { expires_at: Some(now.after(Duration::from_secs(700))), ..KeyPolicy::default() };
        let parent = setting.show(setting.key(policy).await.secret.expose()).await.unwrap();
        let short = setting.authenticator.mint(&parent, terms()).unwrap();
        assert_eq!(short.expires_at, now.after(Duration::from_secs(600)));
        let long = MintTerms { expires_in: Duration::from_secs(3600), ..terms() };
        assert_eq!(setting.authenticator.mint(&parent, long).unwrap().expires_at, now.after(Duration::from_secs(700)));
        setting.test.hand.advance(Duration::from_secs(599));
        assert!(setting.show(&short.token).await.is_ok());
        setting.test.hand.advance(Duration::from_secs(1));
        assert_eq!(kind(setting.show(&short.token).await), Some(ErrorKind::InvalidKey));
    }

    #[tokio::test]
    async fn only_this_gateways_own_secret_mints() {
        let setting = Setting::new(AccessSettings::default()).await;
        let key = setting.key(KeyPolicy::default()).await;
        let parent = setting.show(key.secret.expose()).await.unwrap();
        let token = minted(&setting, &parent, terms()).unwrap();
        assert!(setting.show(&token).await.is_ok());
        let other_secret = authenticator(&setting.test, AccessSettings::default(), "12D3KooW", 2);
        let other_name = authenticator(&setting.test, AccessSettings::default(), "12D3KooX", 1);
        for stranger in [&other_secret, &other_name] {
            assert_eq!(kind(show(stranger, &token, &[]).await), Some(ErrorKind::InvalidKey));
        }
        // Signed by somebody with an own key, in our name.
        let claims = json!({
            "iss": "peerway:12D3KooW", "sub": key.record.id, "jti": "tok_1", "acct": setting.account, "iat": 1,
            "exp": 9_000_000_000_i64,
        });
        for (signer, alg) in
            [(Signer::rsa(), "RS256"), (Signer::shared(b"guessed"), "HS256"), (Signer::shared(&[1; 32]), "HS512")]
        {
            let forged = signer.sign(&json!({"alg": alg}), &claims);
            assert_eq!(kind(setting.show(&forged).await), Some(ErrorKind::InvalidKey), "{alg}");
        }
    }

    #[tokio::test]
    async fn a_providers_token_is_as_good_as_a_key() {
        let idp = TestProvider::start().await;
        idp.serve_keys(&[rsa_jwk("rsa")]);
        let settings = AccessSettings { identity_providers: vec![idp.config()], ..AccessSettings::default() };
        let setting = Setting::new(settings).await;
        let now = setting.test.ledger.clock().now().as_secs();
        let claims = json!({
            "iss": idp.issuer(), "aud": "peerway", "sub": "ada", "exp": now + 60,
            "peerway_account": setting.account.as_str(), "scope": "inference keys:read",
        });
        let token = Signer::rsa().sign(&json!({"alg": "RS256", "kid": "rsa"}), &claims);
        let bearer = setting.show(&token).await.unwrap();
        assert_eq!((&bearer.account, &bearer.key), (&setting.account, &None));
        assert_eq!(bearer.actor.to_string(), format!("subject:{}|ada", idp.issuer()));
        assert_eq!(bearer.expires_at, Some(Timestamp::from_millis((now + 90) * 1000)));
        assert_eq!(minted(&setting, &bearer, terms()).unwrap_err().kind(), ErrorKind::NotAllowed);
        // Also while it is believed, it ends when it says.
        setting.test.hand.advance(Duration::from_secs(90));
        assert_eq!(kind(setting.show(&token).await), Some(ErrorKind::InvalidKey));
        let stranger =
            Signer::rsa().sign(&json!({"alg": "RS256", "kid": "rsa"}), &json!({"iss": "https://x.example.com"}));
        assert_eq!(kind(setting.show(&stranger).await), Some(ErrorKind::InvalidKey));
        let large = Signer::rsa().sign(&json!({"alg": "RS256"}), &json!({"iss": "x".repeat(9000)}));
        assert!(setting.show(&large).await.unwrap_err().message().contains("8192"));
    }

    /// Who guesses a key learns nothing from how long the answer takes: a guess that is right but for its end takes as long as
    /// one that is wrong from its beginning. In turns, and by medians, so that a busy machine disturbs both alike.
    #[tokio::test]
    async fn a_guess_takes_as_long_however_near_it_is() {
        let setting = Setting::new(AccessSettings::default()).await;
        let real = setting.key(KeyPolicy::default()).await.secret.expose().to_owned();
        let (prefix, length) = ("sk-pw-", real.len());
        let guess = |kept: usize, number: usize| {
            let digits = format!("{number:05}");
            let filling = "A".repeat(length - kept - digits.len());
            format!("{}{filling}{digits}", &real[..kept])
        };
        let (mut took, mut rng) = ([Vec::new(), Vec::new()], StdRng::seed_from_u64(7));
        for number in 0..400 {
            // Each is the first as often as the second: caches tidy up by counting.
            let mut turns = [0, 1];
            turns.rotate_left(rng.random_range(0..2));
            for turn in turns {
                let secret = guess([prefix.len(), length - 5][turn], number);
                let begun = std::time::Instant::now();
                assert!(setting.show(&secret).await.is_err());
                took[turn].push(begun.elapsed());
            }
        }
        let [far, near] = took.map(|mut took| {
            took.sort_unstable();
            took[took.len() / 2].as_secs_f64()
        });
        assert!((0.8..1.25).contains(&(near / far)), "{near} s near, {far} s far");
    }
}
