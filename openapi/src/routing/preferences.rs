//! `provider`: which nodes may serve, and which of them first.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::UsdPerMillion;
use crate::ApiError;

/// Names of one list.
const MAX_NAMES: usize = 64;
/// Bytes of a name: a peer id has 52, operators and regions up to 64.
const MAX_NAME: usize = 128;

/// Wishes about the nodes that serve. A name in `order`, `only` or `ignore` is a node's peer id, its operator, or its
/// region. Other fields than these are refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderPreferences {
    /// Names of nodes to try first, in this order. None: the cheapest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Vec<String>>,
    /// Whether others than those in `order` may serve, and more than one node be tried. None: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_fallbacks: Option<bool>,
    /// Whether a node must follow every parameter of the request. It always must: `false` lets none drop one, and where no
    /// node follows a parameter the error says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_parameters: Option<bool>,
    /// `deny`: only nodes that promise to keep nothing of what they are sent, by the capability `no_data_collection`.
    /// None: `allow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_collection: Option<DataCollection>,
    /// Names of the only nodes that may serve. None: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<String>>,
    /// Names of nodes that may not serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<Vec<String>>,
    /// How weights may be stored, such as `Q8_0`, in any case of letters. None: anyhow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantizations: Option<Vec<String>>,
    /// By what nodes are ordered, strictly. None: by price, and among nearly equal prices by load and speed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<ProviderSort>,
    /// The most that may be paid, the gateway's fee included. A node above it does not serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<MaxPrice>,
    /// Tokens a second. Slower nodes serve only where no other can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_min_throughput: Option<f64>,
    /// Seconds to the first token. Nodes that take longer serve only where no other can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_max_latency: Option<f64>,
}

/// Whether nodes may keep what they are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DataCollection {
    /// They may.
    Allow,
    /// They may not.
    Deny,
}

/// By what nodes are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProviderSort {
    /// The cheapest for this request first. The same as the suffix `:floor` of a model.
    Price,
    /// The most tokens a second first. The same as the suffix `:nitro` of a model.
    Throughput,
    /// The shortest time to the first token first.
    Latency,
}

/// The most that may be paid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MaxPrice {
    /// For a million prompt tokens. None: any price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<UsdPerMillion>,
    /// For a million generated tokens. None: any price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion: Option<UsdPerMillion>,
    /// For a request by itself. Nodes ask nothing for that, which is within any bound, so this rules none out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<UsdPerMillion>,
}

impl ProviderPreferences {
    /// Checks every bound.
    pub(super) fn validate(&self) -> Result<(), ApiError> {
        check_names("order", self.order.as_deref())?;
        check_names("only", self.only.as_deref())?;
        check_names("ignore", self.ignore.as_deref())?;
        check_names("quantizations", self.quantizations.as_deref())?;
        if self.only.as_ref().is_some_and(Vec::is_empty) {
            return Err(ApiError::invalid("provider.only", "Name at least one node, or leave it out."));
        }
        check_number("preferred_min_throughput", self.preferred_min_throughput)?;
        check_number("preferred_max_latency", self.preferred_max_latency)
    }
}

fn check_names(field: &str, names: Option<&[String]>) -> Result<(), ApiError> {
    let names = names.unwrap_or_default();
    if names.len() > MAX_NAMES {
        let message = format!("{} names; at most {MAX_NAMES}.", names.len());
        return Err(ApiError::invalid(format!("provider.{field}"), message));
    }
    match names.iter().position(|name| name.is_empty() || name.len() > MAX_NAME) {
        Some(place) => {
            let message = format!("A name has 1 to {MAX_NAME} bytes.");
            Err(ApiError::invalid(format!("provider.{field}[{place}]"), message))
        }
        None => Ok(()),
    }
}

fn check_number(field: &str, number: Option<f64>) -> Result<(), ApiError> {
    match number {
        Some(number) if !number.is_finite() || number < 0.0 => {
            Err(ApiError::invalid(format!("provider.{field}"), "It must be 0 or more."))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::chat::ChatRequest;
    use crate::parse;

    fn refused(provider: &serde_json::Value) -> Option<String> {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "provider": provider});
        let read = parse::json::<ChatRequest>(body.to_string().as_bytes());
        let error = read.and_then(|request| request.validate()).err()?;
        Some(format!("{}: {}", error.param().unwrap_or_default(), error.message()))
    }

    #[test]
    fn what_apps_send_is_accepted() {
        let full = json!({
            "order": ["12D3KooW", "alice", "eu"], "allow_fallbacks": false, "require_parameters": true,
            "data_collection": "deny", "only": ["eu"], "ignore": ["bob"], "quantizations": ["q8_0"],
            "sort": "throughput", "max_price": {"prompt": 1, "completion": "2.5", "request": 0},
            "preferred_min_throughput": 20, "preferred_max_latency": 0.5,
        });
        for provider in [full, json!({}), json!(null), json!({"sort": null, "order": []})] {
            assert_eq!(refused(&provider), None, "{provider}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (provider, field, why) in [
            (json!({"zdr": true}), "provider", "zdr"),
            (json!({"max_price": {"image": 1}}), "provider.max_price", "image"),
            (json!({"max_price": {"prompt": -1}}), "provider.max_price.prompt", "-1"),
            (json!({"sort": "beauty"}), "provider.sort", "beauty"),
            (json!({"order": "alice"}), "provider.order", "alice"),
            (json!({"only": []}), "provider.only", "at least one"),
            (json!({"ignore": ["a", ""]}), "provider.ignore[1]", "1 to 128"),
            (json!({"order": vec!["a"; 65]}), "provider.order", "65"),
            (json!({"preferred_max_latency": -0.5}), "provider.preferred_max_latency", "0 or more"),
        ] {
            let told = refused(&provider).unwrap_or_default();
            let (param, message) = told.split_once(": ").unwrap_or_default();
            assert!(param.starts_with(field) && message.contains(why), "{provider}: {told}");
        }
    }
}
