//! Who a request is made for, and what they may do: the same whatever proved it.

use peerway_billing::{AccountId, Actor, BudgetLimits, BudgetScope, KeyId, Limits, Scope, Timestamp, TokenId};
use peerway_openapi::{ApiError, ErrorKind};

/// Who a request is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who pays.
    pub account: AccountId,
    /// The key that spends; None for a token of an identity provider.
    pub key: Option<KeyId>,
    /// The first key of that key's chain of rotations, under which the chain's spending and rate are counted; None
    /// without a key.
    pub root: Option<KeyId>,
    /// Who the log names.
    pub actor: Actor,
    /// The minted token that was shown; None for everything else.
    pub token: Option<TokenId>,
    /// What they may do.
    pub scopes: Vec<Scope>,
    /// The models they may use; None for all.
    pub models: Option<Vec<String>>,
    /// How fast they may ask.
    pub limits: Limits,
    /// What they may spend: each of these, all at once.
    pub budgets: Vec<(BudgetScope, BudgetLimits)>,
    /// When the proof stops working; None for never.
    pub expires_at: Option<Timestamp>,
}

/// Whose rate is limited together: the keys of a chain of rotations with all tokens minted under them, or a person on an
/// account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RateKey {
    account: AccountId,
    actor: Actor,
}

impl Principal {
    /// Whether they may do this.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        scope.is_in(&self.scopes)
    }

    /// That they may do this.
    ///
    /// # Errors
    /// `NotAllowed`, naming the scope.
    pub fn require(&self, scope: Scope) -> Result<(), ApiError> {
        if self.may(scope) {
            return Ok(());
        }
        let message =
            format!("This needs the scope `{scope}`, which the key or token does not have. Use one that does.");
        Err(ApiError::new(ErrorKind::NotAllowed, message))
    }

    /// That they may use this model, by the name in the catalog.
    ///
    /// # Errors
    /// `ModelNotAllowed`, naming the model.
    pub fn may_use(&self, model: &str) -> Result<(), ApiError> {
        let is_allowed = |models: &Vec<String>| models.iter().any(|allowed| allowed == model);
        if self.models.as_ref().is_none_or(is_allowed) {
            return Ok(());
        }
        let shown: String = model.chars().take(128).collect();
        let message = format!("The key or token may not use the model `{shown}`. Ask its owner, or use another model.");
        Err(ApiError::new(ErrorKind::ModelNotAllowed, message).at("model"))
    }

    /// Every budget that a request must be reserved in.
    pub fn budgets(&self) -> impl Iterator<Item = (BudgetScope, &BudgetLimits)> {
        self.budgets.iter().map(|(scope, limits)| (scope.clone(), limits))
    }

    /// Whose rate this request counts against.
    #[must_use]
    pub fn rate_key(&self) -> RateKey {
        let actor = self.root.clone().map_or_else(|| self.actor.clone(), Actor::key);
        RateKey { account: self.account.clone(), actor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::testing::principal;

    #[test]
    fn what_is_not_granted_is_refused_by_name() {
        let reader = Principal { scopes: vec![Scope::UsageRead], ..principal() };
        assert!(reader.require(Scope::UsageRead).is_ok());
        let refused = reader.require(Scope::KeysWrite).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotAllowed);
        assert!(refused.message().contains("`keys:write`"));
        let admin = Principal { scopes: vec![Scope::Admin], ..principal() };
        assert!(Scope::ALL.iter().all(|scope| admin.require(*scope).is_ok()));
    }

    #[test]
    fn a_list_of_models_is_a_bound() {
        let some = Principal { models: Some(vec!["a".to_owned()]), ..principal() };
        assert!(some.may_use("a").is_ok() && principal().may_use("b").is_ok());
        let refused = some.may_use("b").unwrap_err();
        assert_eq!((refused.kind(), refused.param()), (ErrorKind::ModelNotAllowed, Some("model")));
        let none = Principal { models: Some(Vec::new()), ..principal() };
        assert!(none.may_use("a").is_err());
    }
}
