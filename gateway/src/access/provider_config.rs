//! What an operator says about an identity provider.

use jsonwebtoken::Algorithm;
use peerway_billing::AccountId;
use serde::{Deserialize, Serialize};

use super::fetch::Source;

/// What issuers of this gateway's own tokens are called; no provider may be.
pub(super) const OWN_ISSUER: &str = "peerway:";
/// Clocks may differ by this much, in seconds.
const MAX_LEEWAY_S: u32 = 600;
/// Keys may be refreshed this seldom, in seconds: a provider's word is good for a day.
const MAX_REFRESH_S: u64 = 86_400;

/// An identity provider whose tokens are believed: one `[[identity_providers]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityProviderConfig {
    /// Its name, exactly as tokens have it in `iss`.
    pub issuer: String,
    /// This gateway's name there: tokens must have it in `aud`.
    pub audience: String,
    /// Where its keys are. None: where the discovery document at `issuer` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// What it signs with [default: RS256, ES256, EdDSA].
    #[serde(default = "SigningAlgorithm::usual")]
    pub algorithms: Vec<SigningAlgorithm>,
    /// The account that pays for all its tokens. None: the token's claim says, else where its bearer is a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The claim that names the account. The provider is then believed for every account of this gateway [default:
    /// `peerway_account`].
    #[serde(default = "default_account_claim")]
    pub account_claim: String,
    /// The claim that names scopes: words with spaces between them, or a list. Unknown words are dropped; where the
    /// claim is absent, the bearer's role on the account says [default: `scope`].
    #[serde(default = "default_scopes_claim")]
    pub scopes_claim: String,
    /// Seconds by which its clock may differ [default: 30].
    #[serde(default = "default_leeway_s")]
    pub leeway_s: u32,
    /// Seconds between two looks at its keys [default: 300].
    #[serde(default = "default_refresh_s")]
    pub refresh_s: u64,
}

/// How a provider may sign. Shared secrets are not among them: whoever verifies could sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum SigningAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl SigningAlgorithm {
    fn usual() -> Vec<Self> {
        vec![Self::RS256, Self::ES256, Self::EdDSA]
    }

    pub(super) fn algorithm(self) -> Algorithm {
        match self {
            Self::RS256 => Algorithm::RS256,
            Self::RS384 => Algorithm::RS384,
            Self::RS512 => Algorithm::RS512,
            Self::PS256 => Algorithm::PS256,
            Self::PS384 => Algorithm::PS384,
            Self::PS512 => Algorithm::PS512,
            Self::ES256 => Algorithm::ES256,
            Self::ES384 => Algorithm::ES384,
            Self::EdDSA => Algorithm::EdDSA,
        }
    }
}

impl IdentityProviderConfig {
    /// That it can be used. The error names the field.
    ///
    /// # Errors
    /// The first field that is out of its bounds.
    pub fn check(&self) -> Result<(), String> {
        let named = |field: &str, text: &str| match text.is_empty() {
            true => Err(format!("{field} is empty")),
            false => Ok(()),
        };
        named("issuer", &self.issuer)?;
        named("audience", &self.audience)?;
        named("account_claim", &self.account_claim)?;
        named("scopes_claim", &self.scopes_claim)?;
        if self.issuer.starts_with(OWN_ISSUER) {
            return Err(format!("issuer begins with `{OWN_ISSUER}`, as only this gateway's own tokens do"));
        }
        if self.algorithms.is_empty() {
            return Err("algorithms is empty; leave it out for RS256, ES256 and EdDSA".to_owned());
        }
        if self.leeway_s > MAX_LEEWAY_S {
            return Err(format!("leeway_s is above {MAX_LEEWAY_S}"));
        }
        if !(1..=MAX_REFRESH_S).contains(&self.refresh_s) {
            return Err(format!("refresh_s is not between 1 and {MAX_REFRESH_S}"));
        }
        let field = if self.jwks_url.is_some() { "jwks_url" } else { "issuer" };
        self.source().map(|_| ()).map_err(|error| format!("{field}: {error}"))
    }

    pub(super) fn source(&self) -> Result<Source, String> {
        Source::new(&self.issuer, self.jwks_url.as_deref())
    }
}

fn default_account_claim() -> String {
    "peerway_account".to_owned()
}

fn default_scopes_claim() -> String {
    "scope".to_owned()
}

fn default_leeway_s() -> u32 {
    30
}

fn default_refresh_s() -> u64 {
    300
}
