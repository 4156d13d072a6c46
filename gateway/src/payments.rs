//! Payments by card: what an operator sets, and what runs beside the requests.
//!
//! Stripe's own names for its secrets are kept (`STRIPE_SECRET_KEY`, …), because that is what secret stores already hold. In the
//! configuration they are `stripe.secret_key` and so on.

use std::fmt;
use std::time::Duration;

use figment::Provider;
use figment::providers::Env;
use peerway_billing::payments::{Cents, PaymentError, PaymentRules, Payments, Secrets, StripeConfig, WarningRule};
use peerway_billing::{Ledger, Nanos};
use serde::{Deserialize, Deserializer, Serialize};
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// Nano-dollars of a cent.
const PER_CENT: i64 = 10_000_000;

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// What an operator sets about payments by card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StripeSettings {
    /// `sk_live_…`, `sk_test_…` or a restricted `rk_…`. None: no payments by card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key: Option<Hidden>,
    /// `whsec_…` of the webhook endpoint `/v1/webhooks/stripe`; two while one replaces the other, with a comma between.
    #[serde(deserialize_with = "several")]
    pub webhook_secrets: Vec<Hidden>,
    /// Where the API is. None: at Stripe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_base: Option<String>,
    /// Whether Stripe Tax adds taxes; it must be set up at Stripe.
    pub tax: bool,
    /// The least and the most that is bought at a time, in USD.
    pub least_usd: String,
    /// See `least_usd`.
    pub most_usd: String,
    /// What a new account may pay in a day, in USD; it grows with age and payments that stay paid.
    pub new_account_daily_usd: String,
    /// From so much on the payer's bank is asked (3-D Secure), in USD.
    pub ask_bank_from_usd: String,
    /// From so many points of being unusual a payment waits for `peerway payment release`.
    pub review_from: u32,
    /// What is done about an early fraud warning: `refund` (and freeze) or `freeze`.
    pub warning: WarningRule,
    /// Seconds between two looks at Stripe for payments of which nobody told.
    pub reconcile_every_s: u64,
    /// Seconds between two looks for accounts whose credit runs low.
    pub top_up_every_s: u64,
}

impl Default for StripeSettings {
    fn default() -> Self {
        Self {
            secret_key: None,
            webhook_secrets: Vec::new(),
            api_base: None,
            tax: true,
            least_usd: "5".to_owned(),
            most_usd: "10000".to_owned(),
            new_account_daily_usd: "200".to_owned(),
            ask_bank_from_usd: "100".to_owned(),
            review_from: 60,
            warning: WarningRule::Refund,
            reconcile_every_s: 60,
            top_up_every_s: 5,
        }
    }
}

/// A list, or a text with commas.
fn several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Hidden>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Text(String),
        List(Vec<String>),
    }
    let texts = match Form::deserialize(deserializer)? {
        Form::Text(text) => text.split(',').map(str::to_owned).collect(),
        Form::List(list) => list,
    };
    let trimmed = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    Ok(trimmed.map(|text| Hidden(text.to_owned())).collect())
}

impl StripeSettings {
    /// Stripe's own variables, under our names for them. An empty one is none.
    pub fn variables() -> impl Provider {
        const NAMES: [&str; 3] = ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS", "STRIPE_API_BASE"];
        let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let names: Vec<&str> = NAMES.into_iter().filter(set).collect();
        // The first underscore alone parts the section from its field.
        Env::raw().only(&names).map(|name| name.as_str().to_ascii_lowercase().replacen('_', ".", 1).into())
    }

    /// What it comes to.
    ///
    /// # Errors
    /// One line that names the field.
    pub fn rules(&self) -> Result<PaymentRules, String> {
        let read = |field: &str, text: &str| {
            let usd: Nanos = text.parse().map_err(|error| format!("stripe.{field}: {error}"))?;
            let whole = usd.as_i64() % PER_CENT == 0;
            let cents = whole.then(|| Cents::new(usd.as_i64() / PER_CENT)).flatten();
            cents.ok_or_else(|| format!("stripe.{field}: {text} is not whole cents"))
        };
        if self.reconcile_every_s == 0 || self.top_up_every_s == 0 {
            return Err("stripe.reconcile_every_s and stripe.top_up_every_s must be at least 1".to_owned());
        }
        Ok(PaymentRules {
            least: read("least_usd", &self.least_usd)?,
            most: read("most_usd", &self.most_usd)?,
            new_account_daily: read("new_account_daily_usd", &self.new_account_daily_usd)?,
            ask_bank_from: read("ask_bank_from_usd", &self.ask_bank_from_usd)?,
            review_from: self.review_from,
            tax: self.tax,
            warning: self.warning,
        })
    }

    /// Whether money is paid: Stripe itself is asked, with a key that is not for tests.
    #[must_use]
    pub fn is_live(&self) -> bool {
        let for_tests = |key: &Hidden| key.0.starts_with("sk_test_") || key.0.starts_with("rk_test_");
        self.api_base.is_none() && self.secret_key.as_ref().is_some_and(|key| !for_tests(key))
    }

    /// Payments, or `None` without a secret key.
    ///
    /// # Errors
    /// The key or an address cannot be used.
    pub fn payments(&self, ledger: &Ledger) -> anyhow::Result<Option<Payments>> {
        let Some(Hidden(secret_key)) = self.secret_key.clone() else { return Ok(None) };
        let rules = self.rules().map_err(anyhow::Error::msg)?;
        let secrets = Secrets::new(self.webhook_secrets.iter().map(|Hidden(secret)| secret.clone()).collect());
        let stripe = StripeConfig { secret_key, base: self.api_base.clone(), timeout: StripeConfig::TIMEOUT };
        let made = Payments::new(ledger.clone(), stripe, secrets, rules);
        Ok(Some(made.map_err(|error: PaymentError| anyhow::anyhow!("configuration: stripe: {error}"))?))
    }

    /// What runs beside the requests, and one line that says whether money is paid.
    pub fn start(&self, payments: Option<&Payments>) -> Vec<JoinHandle<()>> {
        let Some(payments) = payments else {
            info!("no payments by card: set STRIPE_SECRET_KEY to take them");
            return Vec::new();
        };
        match &self.api_base {
            Some(base) => warn!(%base, "payments go to another Stripe than Stripe: nothing is paid"),
            None if self.is_live() => info!("payments go to Stripe"),
            None => warn!("payments go to Stripe with a key for tests: nothing is paid"),
        }
        if self.webhook_secrets.is_empty() {
            warn!(every_s = self.reconcile_every_s, "no STRIPE_WEBHOOK_SECRETS: payments are found by asking alone");
        }
        let seconds = Duration::from_secs;
        vec![
            tokio::spawn(payments.clone().follow_events()),
            tokio::spawn(payments.clone().follow_up(seconds(self.reconcile_every_s))),
            tokio::spawn(payments.clone().follow_credit(seconds(self.top_up_every_s))),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_a_list_or_a_text_and_never_shown() {
        for toml in [r#"webhook_secrets = "whsec_a, whsec_b""#, r#"webhook_secrets = ["whsec_a", "whsec_b"]"#] {
            let settings: StripeSettings = toml::from_str(toml).unwrap();
            assert_eq!(settings.webhook_secrets, [Hidden("whsec_a".to_owned()), Hidden("whsec_b".to_owned())]);
            assert!(!format!("{settings:?}").contains("whsec"));
        }
    }

    #[test]
    fn only_a_live_key_at_stripe_itself_is_live() {
        let with = |key: &str, base: Option<&str>| StripeSettings {
            secret_key: Some(Hidden(key.to_owned())),
            api_base: base.map(str::to_owned),
            ..StripeSettings::default()
        };
        assert!(with("sk_live_1", None).is_live() && with("rk_live_1", None).is_live());
        assert!(!with("sk_test_1", None).is_live() && !with("rk_test_1", None).is_live());
        assert!(!with("sk_live_1", Some("http://127.0.0.1:1")).is_live() && !StripeSettings::default().is_live());
    }

    #[test]
    fn amounts_that_make_no_sense_are_named() {
        let wrong = StripeSettings { least_usd: "0.001".to_owned(), ..StripeSettings::default() };
        assert!(wrong.rules().unwrap_err().contains("stripe.least_usd"));
        assert_eq!(StripeSettings::default().rules().unwrap(), PaymentRules::default());
    }
}
