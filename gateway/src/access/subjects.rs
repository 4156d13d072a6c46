//! From what an identity provider says of a person to an account and scopes.
//!
//! The account is the one that the operator fixed, else the one that the provider names, else one that the person is a
//! member of. What they may do there is what the token says, else their role; a token that says nothing, for an account
//! that operator or provider chose, may ask models and no more.

use http::{HeaderMap, HeaderName};
use peerway_billing::{
    AccountId, AccountKind, Actor, Ledger, LedgerError, Limits, Member, Scope, SubjectId, Timestamp,
};
use peerway_openapi::{ApiError, ErrorKind};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as WordError, StrDeserializer};
use serde_json::Value;

use super::credential::refused;
use super::keys::unavailable;
use super::principal::Principal;
use super::provider::VerifiedClaims;
use super::provider_config::IdentityProviderConfig;

/// Picks among the accounts that a person is a member of.
const ACCOUNT: HeaderName = HeaderName::from_static("x-peerway-account");

#[derive(Debug)]
pub(super) struct Subjects {
    ledger: Ledger,
    /// How fast each person may ask.
    limits: Limits,
}

impl Subjects {
    pub(super) fn new(ledger: Ledger, limits: Limits) -> Self {
        Self { ledger, limits }
    }

    /// The principal behind verified claims. `wanted` is the account that the request asks for.
    pub(super) async fn principal(
        &self,
        config: &IdentityProviderConfig,
        claims: &VerifiedClaims,
        wanted: Option<&AccountId>,
    ) -> Result<Principal, ApiError> {
        let subject = SubjectId::new(format!("{}|{}", config.issuer, claims.sub))
            .map_err(|_| refused("The token's `sub` cannot be used: with the issuer it is too long, or has spaces."))?;
        let memberships = self.ledger.memberships(&subject).await.map_err(|cause| unavailable(&cause))?;
        let chosen = match &config.account {
            Some(fixed) => Some(fixed.clone()),
            None => claims.get(&config.account_claim).map(account_id).transpose()?,
        };
        let account = match &chosen {
            Some(chosen) if wanted.is_some_and(|wanted| wanted != chosen) => {
                return Err(denied("The token is for another account than the header x-peerway-account names."));
            }
            Some(chosen) => chosen,
            None => only(&memberships, wanted)?,
        };
        self.exists(account).await?;
        let role = memberships.iter().find(|member| member.account == *account).map(|member| member.role);
        let scopes = match (claims.get(&config.scopes_claim), role) {
            (Some(claim), _) => scopes(claim)?,
            (None, Some(role)) => role.scopes().to_vec(),
            (None, None) => vec![Scope::Inference],
        };
        let good_for = i64::from(config.leeway_s);
        let end = claims.exp.0.saturating_add(good_for).saturating_mul(1000);
        Ok(Principal {
            account: account.clone(),
            key: None,
            root: None,
            actor: Actor::subject(subject),
            token: None,
            scopes,
            models: None,
            limits: self.limits,
            budgets: Vec::new(),
            expires_at: Some(Timestamp::from_millis(end)),
        })
    }

    /// That it is the account of a customer: a provider must not be able to name the platform's own.
    async fn exists(&self, account: &AccountId) -> Result<(), ApiError> {
        let found = match self.ledger.account(account).await {
            Ok(found) => found.kind == AccountKind::Customer,
            Err(LedgerError::NotFound { .. }) => false,
            Err(cause) => return Err(unavailable(&cause)),
        };
        if found { Ok(()) } else { Err(denied("The token is for an account that this gateway does not have.")) }
    }
}

/// The account that a request asks for by header.
pub(super) fn wanted_account(headers: &HeaderMap) -> Result<Option<AccountId>, ApiError> {
    let mut values = headers.get_all(&ACCOUNT).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| AccountId::new(text).ok()).filter(|_| values.next().is_none());
    id.map(Some)
        .ok_or_else(|| ApiError::invalid("x-peerway-account", "The header must be one account's id, such as acct_…."))
}

fn account_id(claim: &Value) -> Result<AccountId, ApiError> {
    let id = claim.as_str().and_then(|text| AccountId::new(text).ok());
    id.ok_or_else(|| refused("The token's claim for the account is not an account's id."))
}

/// The account of the only membership, or of the one asked for.
fn only<'a>(memberships: &'a [Member], wanted: Option<&AccountId>) -> Result<&'a AccountId, ApiError> {
    let found = match (memberships, wanted) {
        (members, Some(wanted)) => members.iter().find(|member| member.account == *wanted),
        ([only], None) => Some(only),
        ([], None) => None,
        (_, None) => {
            return Err(denied("You are a member of several accounts. Name one in the header x-peerway-account."));
        }
    };
    let member =
        found.ok_or_else(|| denied("You are not a member of such an account here. Ask an owner to add you."))?;
    Ok(&member.account)
}

/// The scopes that a claim names: words with spaces between them, or a list of words. Unknown ones are other people's.
fn scopes(claim: &Value) -> Result<Vec<Scope>, ApiError> {
    let words: Vec<&str> = match claim {
        Value::String(text) => text.split_whitespace().collect(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => return Err(refused("The token's claim for scopes is neither a text nor a list.")),
    };
    let known = |word: &str| {
        let word: StrDeserializer<'_, WordError> = word.into_deserializer();
        Scope::deserialize(word).ok()
    };
    Ok(words.into_iter().filter_map(known).collect())
}

fn denied(message: &str) -> ApiError {
    ApiError::new(ErrorKind::NotAllowed, message)
}

#[cfg(test)]
mod tests {
    use peerway_billing::Role;
    use serde_json::json;

    use super::*;
    use crate::access::testing::{TestLedger, provider_config};

    fn claims(more: &Value) -> VerifiedClaims {
        let mut all = json!({"sub": "ada", "exp": 2_000_000_000});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn scopes_are_words() {
        assert_eq!(scopes(&json!("inference  openid keys:read")).unwrap(), [Scope::Inference, Scope::KeysRead]);
        assert_eq!(scopes(&json!(["admin", 7, "email"])).unwrap(), [Scope::Admin]);
        assert_eq!(scopes(&json!("inferenceadmin")).unwrap(), []);
        assert!(scopes(&json!({"admin": true})).is_err());
    }

    #[tokio::test]
    async fn the_account_is_fixed_named_or_a_members() {
        let test = TestLedger::new().await;
        let (one, two) = (test.account().await, test.account().await);
        let subjects = Subjects::new(test.ledger.clone(), Limits::default());
        let fixed = IdentityProviderConfig { account: Some(one.clone()), ..provider_config("https://id.example.com") };
        let open = provider_config("https://id.example.com");
        let of = async |config, more, wanted| subjects.principal(config, &claims(&more), wanted).await;
        let account = async |config, more, wanted| of(config, more, wanted).await.map(|found| found.account);

        assert_eq!(account(&fixed, json!({"peerway_account": two.as_str()}), None).await.unwrap(), one);
        assert_eq!(account(&open, json!({"peerway_account": two.as_str()}), None).await.unwrap(), two);
        assert!(account(&fixed, json!({}), Some(&two)).await.is_err());
        for wrong in [json!("acct_none"), json!("platform:grants"), json!(""), json!(7), json!([one.as_str()])] {
            assert!(account(&open, json!({"peerway_account": wrong}), None).await.is_err(), "{wrong}");
        }
        // Nobody says, and the person is nowhere a member.
        assert_eq!(account(&open, json!({}), None).await.unwrap_err().kind(), ErrorKind::NotAllowed);
        test.member(&one, "https://id.example.com|ada", Role::Owner).await;
        assert_eq!(account(&open, json!({}), None).await.unwrap(), one);
        assert!(account(&open, json!({}), Some(&two)).await.is_err());
        test.member(&two, "https://id.example.com|ada", Role::Owner).await;
        assert!(account(&open, json!({}), None).await.unwrap_err().message().contains("x-peerway-account"));
        assert_eq!(account(&open, json!({}), Some(&two)).await.unwrap(), two);
    }

    #[tokio::test]
    async fn the_claim_says_what_they_may_do_else_the_role() {
        let test = TestLedger::new().await;
        let account = test.account().await;
        let subjects = Subjects::new(test.ledger.clone(), Limits::default());
        let config =
            IdentityProviderConfig { account: Some(account.clone()), ..provider_config("https://id.example.com") };
        let scopes = async |more| subjects.principal(&config, &claims(&more), None).await.unwrap().scopes;
        assert_eq!(scopes(json!({})).await, [Scope::Inference]);
        assert_eq!(scopes(json!({"scope": "openid"})).await, []);
        test.member(&account, "https://id.example.com|boss", Role::Owner).await;
        test.member(&account, "https://id.example.com|ada", Role::Viewer).await;
        assert_eq!(scopes(json!({})).await, Role::Viewer.scopes());
        assert_eq!(scopes(json!({"scope": "inference"})).await, [Scope::Inference]);
    }
}
