//! From what is asked of a key to its policy.

use peerway_billing::{BudgetLimits, KeyPolicy, Limits, Nanos, Scope, Timestamp};
use peerway_openapi::ApiError;
use peerway_openapi::admin::{BudgetsRequest, KeyRequest, LimitsRequest};
use serde_json::json;

use super::word;

/// The policy with the changes that are asked for. Whether it makes sense is the ledger's to say.
pub(super) fn changed(policy: KeyPolicy, asked: &KeyRequest) -> Result<KeyPolicy, ApiError> {
    let mut policy = policy;
    if let Some(words) = &asked.scopes {
        policy.scopes = words.iter().map(|text| scope(text)).collect::<Result<_, _>>()?;
    }
    if let Some(expires_at) = asked.expires_at {
        let moment = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
        policy.expires_at = expires_at.map(moment);
    }
    if let Some(models) = &asked.models {
        policy.models.clone_from(models);
    }
    if let Some(networks) = &asked.allowed_ips {
        // As the ledger reads them, so that one network has one spelling.
        let read = serde_json::from_value::<KeyPolicy>(json!({"allowed_ips": networks}));
        policy.allowed_ips = read.map_err(|error| ApiError::invalid("allowed_ips", format!("{error}.")))?.allowed_ips;
    }
    match &asked.budgets {
        None => {}
        Some(None) => policy.budgets = BudgetLimits::default(),
        Some(Some(budgets)) => budget(&mut policy.budgets, budgets)?,
    }
    match &asked.limits {
        None => {}
        Some(None) => policy.limits = Limits::default(),
        Some(Some(limits)) => limit(&mut policy.limits, limits),
    }
    Ok(policy)
}

fn scope(text: &str) -> Result<Scope, ApiError> {
    word(text, "scopes", &Scope::ALL.map(Scope::as_str))
}

pub(super) fn budget(budgets: &mut BudgetLimits, asked: &BudgetsRequest) -> Result<(), ApiError> {
    for (field, limit, asked) in [
        ("budgets.day", &mut budgets.day, &asked.day),
        ("budgets.week", &mut budgets.week, &asked.week),
        ("budgets.month", &mut budgets.month, &asked.month),
        ("budgets.lifetime", &mut budgets.lifetime, &asked.lifetime),
    ] {
        if let Some(asked) = asked {
            let usd = asked.as_ref().map(|text| text.parse::<Nanos>()).transpose();
            *limit = usd.map_err(|error| ApiError::invalid(field, format!("{error}.")))?;
        }
    }
    Ok(())
}

fn limit(limits: &mut Limits, asked: &LimitsRequest) {
    if let Some(limit) = asked.requests_per_minute {
        limits.requests_per_minute = limit;
    }
    if let Some(limit) = asked.tokens_per_minute {
        limits.tokens_per_minute = limit;
    }
    if let Some(limit) = asked.concurrent {
        limits.concurrent = limit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(policy: KeyPolicy, body: &str) -> Result<KeyPolicy, ApiError> {
        changed(policy, &serde_json::from_str(body).unwrap())
    }

    #[test]
    fn what_is_not_named_stays_and_null_takes_away() {
        let body = r#"{"scopes":["keys:read"],"expires_at":2000000000,"models":["a"],"allowed_ips":["10.1.2.3/8"],
                       "budgets":{"day":"1.50","lifetime":"9"},"limits":{"concurrent":2,"requests_per_minute":60}}"#;
        let policy = ask(KeyPolicy::default(), body).unwrap();
        assert_eq!(policy.scopes, [Scope::KeysRead]);
        assert_eq!(policy.expires_at, Some(Timestamp::from_millis(2_000_000_000_000)));
        assert_eq!(policy.allowed_ips, Some(vec!["10.0.0.0/8".parse().unwrap()]));
        assert_eq!((policy.budgets.day, policy.budgets.week), (Some(Nanos::new(1_500_000_000)), None));
        assert_eq!(ask(policy.clone(), r#"{"name":"x"}"#).unwrap(), policy);
        let fewer =
            ask(policy, r#"{"models":null,"expires_at":null,"allowed_ips":null,"budgets":{"day":null},"limits":null}"#);
        let fewer = fewer.unwrap();
        assert_eq!((fewer.models, fewer.expires_at, fewer.allowed_ips), (None, None, None));
        assert_eq!(
            fewer.budgets,
            BudgetLimits { lifetime: Some(Nanos::new(9_000_000_000)), ..BudgetLimits::default() }
        );
        assert_eq!(fewer.limits, Limits::default());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (body, param) in [
            (r#"{"scopes":["everything"]}"#, "scopes"),
            (r#"{"allowed_ips":["home"]}"#, "allowed_ips"),
            (r#"{"budgets":{"week":"-1"}}"#, "budgets.week"),
            (r#"{"budgets":{"month":"1e400"}}"#, "budgets.month"),
        ] {
            assert_eq!(ask(KeyPolicy::default(), body).unwrap_err().param(), Some(param), "{body}");
        }
    }
}
