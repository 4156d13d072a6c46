//! Tokens of our own: for a while, for some models, for some money, minted by whoever holds a key.
//!
//! An app hands them to its users' browsers. A row in the ledger for each was rejected: minting would cost a disk flush.
//! So the token itself says what it may do, signed, and is worth nothing without its key: that is looked up again for
//! every use, so revoking a key ends all its tokens, and whatever bounds the key bounds them.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use peerway_billing::{AccountId, BudgetLimits, BudgetScope, Clock, KeyId, Nanos, Scope, Timestamp, TokenId};
use peerway_openapi::{ApiError, ErrorKind};
use serde::{Deserialize, Serialize};
use tracing::error;
use uuid::Uuid;

use super::claims::{NumericDate, Validity};
use super::credential::refused;
use super::jws::Unverified;
use super::keys::KnownKey;
use super::principal::Principal;
use super::provider_config::OWN_ISSUER;
use super::secret::TokenSecret;

/// What a new token may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintTerms {
    /// How long it works.
    pub expires_in: Duration,
    /// The models it may use; None for those of its key.
    pub models: Option<Vec<String>>,
    /// What it may spend in its life; None for what its key may.
    pub max_spend: Option<Nanos>,
}

/// A token just minted. It is nowhere else.
#[derive(Clone)]
pub struct Minted {
    /// What its bearer shows.
    pub token: String,
    /// When it stops working.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Minted").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

pub(super) struct Mint {
    issuer: String,
    signs: EncodingKey,
    verifies: DecodingKey,
    clock: Clock,
}

impl std::fmt::Debug for Mint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mint").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MintedClaims {
    iss: String,
    /// The key's id.
    pub(super) sub: KeyId,
    jti: TokenId,
    acct: AccountId,
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<Vec<String>>,
    /// Nano-USD.
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<Nanos>,
    exp: i64,
    iat: i64,
}

impl Mint {
    /// The mint of the gateway with this peer id.
    pub(super) fn new(secret: &TokenSecret, peer_id: &str, clock: Clock) -> Self {
        let (signs, verifies) = (EncodingKey::from_secret(secret.bytes()), DecodingKey::from_secret(secret.bytes()));
        Self { issuer: format!("{OWN_ISSUER}{peer_id}"), signs, verifies, clock }
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A new token under the key of this principal.
    pub(super) fn mint(&self, principal: &Principal, terms: MintTerms) -> Result<Minted, ApiError> {
        principal.require(Scope::Inference)?;
        let (Some(key), None) = (&principal.key, &principal.token) else {
            return Err(ApiError::new(ErrorKind::NotAllowed, "Only a key can mint tokens. Use one."));
        };
        for model in terms.models.iter().flatten() {
            principal.may_use(model).map_err(|error| error.at("models"))?;
        }
        let now = self.clock.now();
        let wanted = now.after(terms.expires_in);
        let expires_at = principal.expires_at.map_or(wanted, |key_expires| wanted.min(key_expires));
        let id = TokenId::new(format!("tok_{}", Uuid::now_v7().simple())).map_err(|cause| failed(&cause))?;
        let claims = MintedClaims {
            iss: self.issuer.clone(),
            sub: key.clone(),
            jti: id,
            acct: principal.account.clone(),
            models: terms.models,
            max: terms.max_spend,
            exp: expires_at.as_secs(),
            iat: now.as_secs(),
        };
        let token = encode(&Header::new(Algorithm::HS256), &claims, &self.signs).map_err(|cause| failed(&cause))?;
        Ok(Minted { token, expires_at: Timestamp::from_millis(claims.exp.saturating_mul(1000)) })
    }

    /// What a token says that this gateway minted, and that has not expired.
    pub(super) fn verify(&self, token: &Unverified<'_>) -> Result<MintedClaims, ApiError> {
        if token.algorithm != Algorithm::HS256 {
            return Err(refused("The token says that this gateway minted it, and it did not."));
        }
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[&self.issuer]);
        rules.set_required_spec_claims(&["exp", "iss", "sub"]);
        // By our own clock, below.
        rules.validate_exp = false;
        let claims = decode::<MintedClaims>(token.token, &self.verifies, &rules)
            .map_err(|_| refused("The token says that this gateway minted it, and it did not."))?
            .claims;
        let issued = Some(NumericDate(claims.iat));
        Validity { expires: NumericDate(claims.exp), not_before: None, issued }.check(self.clock.now(), 0)?;
        Ok(claims)
    }
}

impl MintedClaims {
    /// Who the token stands for, under its key as that is now.
    pub(super) fn principal(self, key: &KnownKey) -> Result<Principal, ApiError> {
        let parent = &key.principal;
        if parent.account != self.acct {
            return Err(refused("The token's key is of another account."));
        }
        if !parent.may(Scope::Inference) {
            return Err(refused("The token's key may not ask models any more."));
        }
        let models = match self.models {
            Some(named) => Some(named.into_iter().filter(|model| parent.may_use(model).is_ok()).collect()),
            None => parent.models.clone(),
        };
        let own = self.max.map(|max| {
            (BudgetScope::Token(self.jti.clone()), BudgetLimits { lifetime: Some(max), ..BudgetLimits::default() })
        });
        Ok(Principal {
            token: Some(self.jti),
            scopes: vec![Scope::Inference],
            models,
            budgets: parent.budgets.iter().cloned().chain(own).collect(),
            expires_at: Some(Timestamp::from_millis(self.exp.saturating_mul(1000))),
            ..Principal::clone(parent)
        })
    }
}

fn failed(cause: &dyn std::fmt::Display) -> ApiError {
    error!(%cause, "a token could not be minted");
    ApiError::new(ErrorKind::Internal, "The token could not be minted. Try again.")
}
