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
