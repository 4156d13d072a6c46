//! A key's policy as flags.

use anyhow::Context;
use clap::{Args, ValueEnum};
use peerway_billing::{KeyPolicy, Nanos, Scope, Timestamp};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as WordError, StrDeserializer};
use serde_json::json;

use super::moment::Moment;

/// What was said of a policy. What was not said stays as it is.
#[derive(Debug, Default, Args)]
pub(super) struct PolicyFlags {
    /// What the key may be used for; may be given more than once [default: inference and usage:read]
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    scopes: Vec<Scope>,
    /// When it stops working: 30d, 2027-01-31T12:00:00Z, or seconds since 1970 [default: never]
    #[arg(long, value_name = "WHEN")]
    expires: Option<Moment>,
    /// A model that it may use; may be given more than once [default: all]
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// A network or address that it may be used from; may be given more than once [default: anywhere]
    #[arg(long = "allow-ip", value_name = "NETWORK")]
    allowed_ips: Vec<String>,
    /// US dollars that it may spend in a day of UTC
    #[arg(long, value_name = "USD")]
    budget_day: Option<Nanos>,
    /// US dollars that it may spend from Monday to Monday
    #[arg(long, value_name = "USD")]
    budget_week: Option<Nanos>,
    /// US dollars that it may spend in a month
    #[arg(long, value_name = "USD")]
    budget_month: Option<Nanos>,
    /// US dollars that it may ever spend
    #[arg(long, value_name = "USD")]
    budget_lifetime: Option<Nanos>,
    /// Requests that it may make in a minute
    #[arg(long = "rpm", value_name = "N")]
    requests_per_minute: Option<u64>,
    /// Tokens that it may use in a minute
    #[arg(long = "tpm", value_name = "N")]
    tokens_per_minute: Option<u64>,
    /// Requests that it may have under way at a time
    #[arg(long, value_name = "N")]
    concurrent: Option<u32>,
}

/// A bound that can be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Bound {
    Expires,
    Models,
    AllowedIps,
    BudgetDay,
    BudgetWeek,
    BudgetMonth,
    BudgetLifetime,
    Rpm,
    Tpm,
    Concurrent,
}

impl PolicyFlags {
    /// The policy with what was said. Whether it makes sense is the ledger's to say.
    pub(super) fn apply(self, policy: KeyPolicy, now: Timestamp) -> anyhow::Result<KeyPolicy> {
        let mut policy = policy;
        if !self.scopes.is_empty() {
            policy.scopes = self.scopes;
        }
        if let Some(expires) = self.expires {
            policy.expires_at = Some(expires.after(now));
        }
        if !self.models.is_empty() {
            policy.models = Some(self.models);
        }
        if !self.allowed_ips.is_empty() {
            // As the ledger reads networks, so that one network has one spelling.
            let read: KeyPolicy =
                serde_json::from_value(json!({"allowed_ips": self.allowed_ips})).context("--allow-ip")?;
            policy.allowed_ips = read.allowed_ips;
        }
        let (budgets, limits) = (&mut policy.budgets, &mut policy.limits);
        set(&mut budgets.day, self.budget_day);
        set(&mut budgets.week, self.budget_week);
        set(&mut budgets.month, self.budget_month);
        set(&mut budgets.lifetime, self.budget_lifetime);
        set(&mut limits.requests_per_minute, self.requests_per_minute);
        set(&mut limits.tokens_per_minute, self.tokens_per_minute);
        set(&mut limits.concurrent, self.concurrent);
        Ok(policy)
    }
}

impl Bound {
    pub(super) fn clear(self, policy: &mut KeyPolicy) {
        match self {
            Self::Expires => policy.expires_at = None,
            Self::Models => policy.models = None,
            Self::AllowedIps => policy.allowed_ips = None,
            Self::BudgetDay => policy.budgets.day = None,
            Self::BudgetWeek => policy.budgets.week = None,
            Self::BudgetMonth => policy.budgets.month = None,
            Self::BudgetLifetime => policy.budgets.lifetime = None,
            Self::Rpm => policy.limits.requests_per_minute = None,
            Self::Tpm => policy.limits.tokens_per_minute = None,
            Self::Concurrent => policy.limits.concurrent = None,
        }
    }
}

fn set<T>(bound: &mut Option<T>, said: Option<T>) {
    if said.is_some() {
        *bound = said;
    }
}

fn scope(word: &str) -> Result<Scope, String> {
    let read: StrDeserializer<'_, WordError> = word.into_deserializer();
    Scope::deserialize(read).map_err(|_| {
        let all: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        format!("scopes are {}", all.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn flags(said: &[&str]) -> PolicyFlags {
        let command = PolicyFlags::augment_args(Command::new("key"));
        let matches = command.try_get_matches_from(["key"].iter().chain(said)).unwrap();
        PolicyFlags::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn what_is_not_said_stays_and_bounds_can_be_taken_away() {
        let now = Timestamp::from_millis(0);
        let said =
            ["--scope", "admin", "--model", "a", "--allow-ip", "10.1.2.3/8", "--budget-day", "1.50", "--rpm", "7"];
        let policy = flags(&said).apply(KeyPolicy::default(), now).unwrap();
        assert_eq!(policy.scopes, [Scope::Admin]);
        assert_eq!(policy.allowed_ips, Some(vec!["10.0.0.0/8".parse().unwrap()]));
        assert_eq!((policy.budgets.day, policy.limits.requests_per_minute), (Some(Nanos::new(1_500_000_000)), Some(7)));
        let mut changed = flags(&["--expires", "1d"]).apply(policy.clone(), now).unwrap();
        assert_eq!(changed.expires_at, Some(Timestamp::from_millis(86_400_000)));
        Bound::Expires.clear(&mut changed);
        assert_eq!(changed, policy);
        assert!(flags(&["--allow-ip", "home"]).apply(policy, now).is_err());
    }
}
