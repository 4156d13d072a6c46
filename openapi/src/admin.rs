//! `/v1/admin/…` and `/v1/auth/tokens`: keys, members, the log of changes, and minted tokens.
//!
//! Unlike the APIs that others invented, these refuse a field that they do not know: a misspelt bound that is dropped is a
//! key without one. In a change `null` takes a bound away and an absent field leaves it, so the two are told apart.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Reads a field that is there: `null` is then `Some(None)`.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A key to make, or what to change of one. What is absent is the default, or stays.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyRequest {
    /// What its owner calls it: 200 bytes at most [default: `key`].
    pub name: Option<String>,
    /// What it may be used for [default: `inference` and `usage:read`].
    pub scopes: Option<Vec<String>>,
    /// Seconds since 1970 at which it stops working. Null: never.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<i64>)]
    pub expires_at: Option<Option<i64>>,
    /// The models that it may use, 1 to 100. Null: all.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>)]
    pub models: Option<Option<Vec<String>>>,
    /// Networks such as `10.0.0.0/8`, or addresses, that it may be used from, 1 to 100. Null: anywhere.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>)]
    pub allowed_ips: Option<Option<Vec<String>>>,
    /// What it may spend. Null: no limits.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<BudgetsRequest>)]
    pub budgets: Option<Option<BudgetsRequest>>,
    /// How fast it may ask. Null: the gateway's defaults.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<LimitsRequest>)]
    pub limits: Option<Option<LimitsRequest>>,
}

/// US dollars as decimal strings such as `12.50`; in windows of UTC. Null: no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetsRequest {
    /// From midnight to midnight.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub day: Option<Option<String>>,
    /// From Monday to Monday.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub week: Option<Option<String>>,
    /// From the 1st to the 1st.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub month: Option<Option<String>>,
    /// Ever.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub lifetime: Option<Option<String>>,
}

/// How fast a key may ask. Null: the gateway's default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsRequest {
    /// Requests begun in a minute.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<u64>)]
    pub requests_per_minute: Option<Option<u64>>,
    /// Tokens of prompts and answers in a minute.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<u64>)]
    pub tokens_per_minute: Option<Option<u64>>,
    /// Requests at a time.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    pub concurrent: Option<Option<u32>>,
}

/// How a key is put in the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RotateRequest {
    /// Seconds that the old key works on; 30 days at most.
    pub overlap_s: u64,
}

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Key {
    /// Always `key`.
    pub object: String,
    /// Names the key without giving it away.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// The first characters of the secret.
    pub prefix: String,
    /// Who pays.
    pub account: String,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// The models that it may use; null for all.
    pub models: Option<Vec<String>>,
    /// The networks that it may be used from; null for anywhere.
    pub allowed_ips: Option<Vec<String>>,
    /// What it may spend.
    pub budgets: KeyBudgets,
    /// How fast it may ask.
    pub limits: KeyLimits,
    /// Seconds since 1970 at which it stops working; null for never.
    pub expires_at: Option<i64>,
    /// Seconds since 1970 at which it was made.
    pub created_at: i64,
    /// Seconds since 1970 at which it was revoked; null while it was not.
    pub revoked_at: Option<i64>,
    /// The id of the key that took its place; null while none did.
    pub replaced_by: Option<String>,
    /// `active`, `expired` or `revoked`.
    pub state: String,
    /// What it and all others of its chain of rotations have spent.
    pub usage: KeySpent,
    /// What its holder shows. Here this once, and nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// US dollars as exact decimal strings; null for no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct KeyBudgets {
    pub day: Option<String>,
    pub week: Option<String>,
    pub month: Option<String>,
    pub lifetime: Option<String>,
}

/// How fast a key may ask; null for the gateway's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct KeyLimits {
    pub requests_per_minute: Option<u64>,
    pub tokens_per_minute: Option<u64>,
    pub concurrent: Option<u32>,
}

/// US dollars spent, ever and in the windows of this moment, and requests that were charged.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct KeySpent {
    pub total: f64,
    pub day: f64,
    pub week: f64,
    pub month: f64,
    pub requests: u64,
}

/// A key that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deleted {
    /// What it was: `key`, `member` or `alert_hook`.
    pub object: String,
    /// Its name.
    pub id: String,
    /// Always true.
    pub deleted: bool,
}

/// A person's place on an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// Always `member`.
    pub object: String,
    /// Who: issuer and subject of their tokens, with `|` between them.
    pub subject: String,
    /// Where.
    pub account: String,
    /// What they may do: `owner`, `billing`, `developer` or `viewer`.
    pub role: String,
    /// What people call them.
    pub name: String,
    /// Seconds since 1970 at which they were added.
    pub created_at: i64,
}

/// A person's new place on an account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberRequest {
    /// `owner`, `billing`, `developer` or `viewer`.
    pub role: String,
    /// What people call them: 200 bytes at most. Absent: as before.
    #[serde(default)]
    pub name: Option<String>,
}

/// One change that somebody made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Always `audit.entry`.
    pub object: String,
    /// Its place in the log.
    pub id: String,
    /// Whose change it is.
    pub account: String,
    /// Seconds since 1970 at which it was made.
    pub created_at: i64,
    /// Who made it: `operator`, `key:…` or `subject:…`.
    pub actor: String,
    /// What was done, such as `key.created`.
    pub action: String,
    /// To what.
    pub target: String,
    /// How. Its fields depend on the action.
    pub detail: Value,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// Always `list`.
    pub object: String,
    /// What is on this page.
    pub data: Vec<T>,
    /// Where the next page begins: its `after`. Null for an empty page.
    pub last_id: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

impl<T> Page<T> {
    /// The page with these entries. `last_id` names the last of them.
    #[must_use]
    pub fn of(data: Vec<T>, last_id: Option<String>, has_more: bool) -> Self {
        Self { object: "list".to_owned(), data, last_id, has_more }
    }
}

/// Where an account is told that a budget is being used up, at 50, 75, 90 and 100 % of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertHookRequest {
    /// A public `https:` URL that is posted to.
    pub url: String,
    /// Amounts of the whole account that are watched beside the budgets of its keys; they stop nobody.
    #[serde(default)]
    pub budgets: Option<BudgetsRequest>,
}

/// Where an account is told of its budgets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertHook {
    /// Always `alert_hook`.
    pub object: String,
    /// Where alerts are posted to.
    pub url: String,
    /// Amounts of the whole account that are watched.
    pub budgets: KeyBudgets,
    /// Seconds since 1970 at which it was set.
    pub created_at: i64,
    /// What signs alerts in the header `x-peerway-signature`: `t=SECONDS,v1=` and the HMAC-SHA256 of `SECONDS.BODY` in
    /// hexadecimal. Shown once, when the hook is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// What a minted token shall be able to do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenRequest {
    /// Seconds that it works, 1 to 3600 [default: 600].
    pub expires_in: Option<i64>,
    /// The models that it may use. Absent: those of the key.
    pub models: Option<Vec<String>>,
    /// US dollars that it may spend, as a decimal string. Absent: what the key may.
    pub max_spend_usd: Option<String>,
}

/// A token just minted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Always `auth.token`.
    pub object: String,
    /// What its bearer shows. Here this once, and nowhere else.
    pub token: String,
    /// Seconds since 1970 at which it stops working.
    pub expires_at: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn param<T: serde::de::DeserializeOwned + std::fmt::Debug>(body: &str) -> Option<String> {
        parse::json::<T>(body.as_bytes()).unwrap_err().param().map(str::to_owned)
    }

    #[test]
    fn null_and_absent_are_two_things() {
        let request: KeyRequest = parse::json(br#"{"models":null,"budgets":{"day":null,"week":"1"}}"#).unwrap();
        assert_eq!((request.models, request.allowed_ips), (Some(None), None));
        let budgets = request.budgets.unwrap().unwrap();
        assert_eq!((budgets.day, budgets.week, budgets.month), (Some(None), Some(Some("1".to_owned())), None));
    }

    #[test]
    fn unknown_fields_are_refused_by_name() {
        for (body, expected) in [
            (r#"{"limit":{}}"#, "limit"),
            (r#"{"budgets":{"year":"1"}}"#, "budgets.year"),
            (r#"{"limits":{"rpm":1}}"#, "limits.rpm"),
            (r#"{"name":7}"#, "name"),
            (r#"{"expires_at":"tomorrow"}"#, "expires_at"),
            (r#"{"limits":{"concurrent":-1}}"#, "limits.concurrent"),
        ] {
            assert_eq!(param::<KeyRequest>(body).as_deref(), Some(expected), "{body}");
        }
        assert_eq!(param::<MemberRequest>("{}").as_deref(), Some("role"));
        assert_eq!(param::<TokenRequest>(r#"{"model":[]}"#).as_deref(), Some("model"));
        assert_eq!(param::<RotateRequest>(r#"{"overlap_s":-1}"#).as_deref(), Some("overlap_s"));
    }
}
