//! What one key may do.
//!
//! A policy is one JSON object in one column. Columns and side tables for its parts were rejected: a policy is
//! always read and changed as a whole, and the log must say it as a whole too. Its text is canonical (fields in
//! the order of this file, absent ones left out), so that `verify` can compare texts.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::limits::{BudgetLimits, Limits};
use super::networks;
use super::scope::Scope;
use crate::clock::Timestamp;
use crate::text;

/// The most models, and the most networks, that a policy may name: every request looks through them.
const MOST: usize = 100;

/// A policy that makes no sense. The message names the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {message}")]
pub struct PolicyError {
    field: &'static str,
    message: String,
}

impl PolicyError {
    pub(super) fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }

    /// Where in the policy: `budgets.day`.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// What is wrong there.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// What one key may do. The default asks any model from anywhere without limit, and sees its usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyPolicy {
    /// What it may be used for; at least one.
    pub scopes: Vec<Scope>,
    /// When it stops working; `None` is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The models it may ask, by the names that callers use; 1 to 100 of them. `None` is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Where it may be used from; 1 to 100 networks. `None` is anywhere. Read from text, where a bare address
    /// is a network of one.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "networks::read")]
    pub allowed_ips: Option<Vec<IpNet>>,
    /// What it may spend.
    #[serde(skip_serializing_if = "BudgetLimits::is_unlimited")]
    pub budgets: BudgetLimits,
    /// How fast it may ask.
    #[serde(skip_serializing_if = "Limits::is_unlimited")]
    pub limits: Limits,
}

impl Default for KeyPolicy {
    fn default() -> Self {
        Self {
            scopes: vec![Scope::Inference, Scope::UsageRead],
            expires_at: None,
            models: None,
            allowed_ips: None,
            budgets: BudgetLimits::default(),
            limits: Limits::default(),
        }
    }
}

impl KeyPolicy {
    /// Whether the key may be used for this.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        scope.is_in(&self.scopes)
    }

    /// Whether the key may ask this model, by the name in the policy.
    #[must_use]
    pub fn allows_model(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|allowed| allowed == model))
    }

    /// Whether the key may be used from this address.
    #[must_use]
    pub fn allows_ip(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allowed_ips.as_ref().is_none_or(|networks| networks.iter().any(|network| network.contains(&address)))
    }

    /// The policy in its one spelling, if it makes sense: scopes sorted, nothing named twice. Whether its
    /// expiry lies ahead is asked where it is set.
    ///
    /// # Errors
    /// The first field that is out of its bounds.
    pub fn checked(mut self) -> Result<Self, PolicyError> {
        self.scopes.sort_unstable();
        self.scopes.dedup();
        if self.scopes.is_empty() {
            return Err(PolicyError::new("scopes", "must name at least one"));
        }
        if let Some(models) = &mut self.models {
            bounded("models", "model", models)?;
            if let Some(error) = models.iter().find_map(|model| model_error(model)) {
                return Err(error);
            }
            models.sort_unstable();
            models.dedup();
        }
        if let Some(networks) = &mut self.allowed_ips {
            bounded("allowed_ips", "network", networks)?;
            networks.iter_mut().for_each(|network| *network = networks::canonical(*network));
            networks.sort_unstable();
            networks.dedup();
        }
        self.budgets.check()?;
        self.limits.check()?;
        Ok(self)
    }

    /// That the key does not end before it begins.
    pub(crate) fn expires_after(&self, now: Timestamp) -> Result<(), PolicyError> {
        match self.expires_at {
            Some(expires_at) if expires_at <= now => {
                Err(PolicyError::new("expires_at", format!("must lie in the future, and {expires_at} does not")))
            }
            _ => Ok(()),
        }
    }

    /// The text that is stored.
    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

fn bounded<T>(field: &'static str, what: &str, list: &[T]) -> Result<(), PolicyError> {
    match list.len() {
        0 => Err(PolicyError::new(field, format!("must name at least one {what}; leave it out for all"))),
        1..=MOST => Ok(()),
        count => Err(PolicyError::new(field, format!("may name at most {MOST}, and names {count}"))),
    }
}

fn model_error(model: &str) -> Option<PolicyError> {
    let message = match text::checked("name of a model", model, text::NAME_BYTES) {
        Ok(_) if !model.is_empty() => return None,
        Ok(_) => "contains an empty name".to_owned(),
        Err(error) => format!("is unusable: {error}"),
    };
    Some(PolicyError::new("models", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Nanos;

    fn refused(policy: KeyPolicy) -> &'static str {
        policy.checked().unwrap_err().field()
    }

    fn many<T: Clone>(one: T, count: usize) -> Option<Vec<T>> {
        Some(vec![one; count])
    }

    #[test]
    fn every_bound_names_its_field() {
        let policy = KeyPolicy::default;
        let network: IpNet = "10.0.0.0/8".parse().unwrap();
        assert_eq!(refused(KeyPolicy { scopes: vec![], ..policy() }), "scopes");
        for models in [Some(vec![]), many("m".to_owned(), 101), many(String::new(), 1), many("m".repeat(201), 1)] {
            assert_eq!(refused(KeyPolicy { models, ..policy() }), "models");
        }
        for allowed_ips in [Some(vec![]), many(network, 101)] {
            assert_eq!(refused(KeyPolicy { allowed_ips, ..policy() }), "allowed_ips");
        }
        let week = BudgetLimits { week: Some(Nanos::ZERO), ..BudgetLimits::default() };
        assert_eq!(refused(KeyPolicy { budgets: week, ..policy() }), "budgets.week");
        let lifetime = BudgetLimits { lifetime: Some(Nanos::new(-1)), ..BudgetLimits::default() };
        assert_eq!(refused(KeyPolicy { budgets: lifetime, ..policy() }), "budgets.lifetime");
        let concurrent = Limits { concurrent: Some(0), ..Limits::default() };
        assert_eq!(refused(KeyPolicy { limits: concurrent, ..policy() }), "limits.concurrent");
        let models = many("m".to_owned(), 100);
        let edge = KeyPolicy { models, allowed_ips: many(network, 100), ..policy() }.checked().unwrap();
        assert_eq!((edge.models, edge.allowed_ips), (many("m".to_owned(), 1), many(network, 1)));
    }

    #[test]
    fn json_has_one_spelling_and_no_unknown_field() {
        let text = r#"{"allowed_ips":["10.1.2.3","::ffff:10.0.0.0/104"],"scopes":["usage:read","inference","inference"],
                       "limits":{"concurrent":3},"budgets":{"day":5}}"#;
        let policy: KeyPolicy = serde_json::from_str(text).unwrap();
        let kept = r#"{"scopes":["inference","usage:read"],"allowed_ips":["10.0.0.0/8","10.1.2.3/32"],"budgets":{"day":5},"limits":{"concurrent":3}}"#;
        assert_eq!(policy.checked().unwrap().to_json().unwrap(), kept);
        let nothing: KeyPolicy = serde_json::from_str("{}").unwrap();
        assert_eq!(nothing, KeyPolicy::default());
        for unknown in
            [r#"{"model":[]}"#, r#"{"budgets":{"year":1}}"#, r#"{"limits":{"rpm":1}}"#, r#"{"scopes":["x"]}"#]
        {
            assert!(serde_json::from_str::<KeyPolicy>(unknown).is_err(), "{unknown}");
        }
        let error = serde_json::from_str::<KeyPolicy>(r#"{"allowed_ips":["home"]}"#).unwrap_err().to_string();
        assert!(error.contains("allowed_ips") && error.contains("`home`"), "{error}");
    }

    #[test]
    fn what_is_not_named_is_not_allowed() {
        let text = r#"{"scopes":["keys:read"],"models":["a"],"allowed_ips":["10.0.0.0/8","2001:db8::/32"]}"#;
        let policy: KeyPolicy = serde_json::from_str(text).unwrap();
        assert!(policy.allows(Scope::KeysRead) && !policy.allows(Scope::KeysWrite) && !policy.allows(Scope::Inference));
        assert!(policy.allows_model("a") && !policy.allows_model("b"));
        for (address, allowed) in [
            ("10.9.9.9", true),
            ("::ffff:10.9.9.9", true),
            ("11.0.0.1", false),
            ("2001:db8::7", true),
            ("2001:db9::7", false),
        ] {
            assert_eq!(policy.allows_ip(address.parse().unwrap()), allowed, "{address}");
        }
        assert!(KeyPolicy::default().allows_ip("::1".parse().unwrap()) && KeyPolicy::default().allows_model("any"));
    }
}
