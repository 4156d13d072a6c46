//! What an alert says.

use peerway_billing::{Alert, AlertScope};
use serde_json::json;

/// The alert as JSON.
pub(super) fn of(alert: &Alert) -> String {
    let Alert { id, account, scope, window, since, level, budget, spent, created_at } = alert;
    let key = match scope {
        AlertScope::Account => None,
        AlertScope::Key(key) => Some(key.as_str()),
    };
    // A budget for all of time began with the account, not with the calendar.
    let since = (since.as_millis() >= 0).then(|| since.to_string());
    let told = json!({
        "id": id,
        "type": "budget.alert",
        "created_at": created_at.to_string(),
        "data": {
            "account": account,
            "key": key,
            "window": window,
            "since": since,
            "percent": level,
            "budget_usd": budget.to_string().trim_start_matches('$'),
            "spent_usd": spent.to_string().trim_start_matches('$'),
        },
    });
    told.to_string()
}

#[cfg(test)]
mod tests {
    use peerway_billing::{AccountId, KeyId, Nanos, Timestamp, Window};
    use serde_json::Value;

    use super::*;

    #[test]
    fn it_says_whose_budget_and_how_much_of_it() {
        let mut alert = Alert {
            id: "alert_1".to_owned(),
            account: AccountId::new("acct_1").unwrap(),
            scope: AlertScope::Account,
            window: Window::Month,
            since: Timestamp::from_millis(1_793_491_200_000),
            level: 75,
            budget: Nanos::new(20_000_000_000),
            spent: Nanos::new(15_000_000_001),
            created_at: Timestamp::from_millis(1_795_000_000_000),
        };
        let told: Value = serde_json::from_str(&of(&alert)).unwrap();
        let expected = json!({
            "id": "alert_1", "type": "budget.alert", "created_at": "2026-11-18T11:06:40Z",
            "data": {
                "account": "acct_1", "key": null, "window": "month", "since": "2026-11-01T00:00:00Z", "percent": 75,
                "budget_usd": "20.00", "spent_usd": "15.000000001",
            },
        });
        assert_eq!(told, expected);
        alert.scope = AlertScope::Key(KeyId::new("key_1").unwrap());
        (alert.window, alert.since) = (Window::Lifetime, Window::Lifetime.start(alert.created_at));
        let told: Value = serde_json::from_str(&of(&alert)).unwrap();
        assert_eq!((&told["data"]["key"], &told["data"]["since"]), (&json!("key_1"), &Value::Null));
    }
}
