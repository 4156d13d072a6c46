//! `/v1/billing/…`: buying credit by card, sending it back, and buying it again when it runs low.
//!
//! Amounts are US dollars as decimal strings such as `25.00`: a float has no cents. As in `/v1/admin/…` a field that is not
//! known is refused.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Credit to buy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckoutRequest {
    /// How much credit, in whole cents. Taxes come on top.
    pub amount: String,
    /// Whether the card is kept, for buying credit when it runs low.
    #[serde(default)]
    pub save_card: bool,
    /// Where the payer goes after paying: an https URL.
    pub success_url: String,
    /// Where the payer goes who does not want to.
    pub cancel_url: String,
}

/// A payment page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checkout {
    /// The payment's id.
    pub id: String,
    /// The page, to send the payer to. Null once it is closed.
    pub url: Option<String>,
    /// The credit that it buys.
    pub amount: String,
    /// Whether money is paid. False: the gateway is set up for tests, and the page takes no money.
    pub live: bool,
}

/// Where to come back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PortalRequest {
    /// Where the customer goes afterwards: an https URL.
    pub return_url: String,
}

/// The page of the customer's invoices and cards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Portal {
    /// The page. The link works once.
    pub url: String,
}

/// When a saved card is charged because credit runs low.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TopUpRequest {
    /// Whether it is on.
    pub enabled: bool,
    /// Below so much credit the card is charged.
    pub threshold: String,
    /// So much is bought each time, in whole cents.
    pub amount: String,
    /// So much at most in a calendar month (UTC), in whole cents.
    pub monthly_limit: String,
}

/// The same, and how it went of late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TopUp {
    /// Whether it is on. It turns itself off after several declines.
    pub enabled: bool,
    /// Below so much credit the card is charged. Null where it was never set.
    pub threshold: Option<String>,
    /// So much is bought each time.
    pub amount: Option<String>,
    /// So much at most in a calendar month.
    pub monthly_limit: Option<String>,
    /// How often the card was declined in a row.
    pub declines: u32,
    /// Seconds since 1970 before which the card is left alone.
    pub not_before: Option<i64>,
    /// Why the last one failed.
    pub problem: Option<String>,
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Payment {
    /// Its id.
    pub id: String,
    /// `checkout` or `top_up`.
    pub kind: String,
    /// The credit.
    pub amount: String,
    /// `open`, `paid`, `review` (paid, and waits for a person), `disputed`, `refused` (and sent back) or `canceled`.
    pub state: String,
    /// What of the credit was sent back.
    pub refunded: String,
    /// When it was begun, in seconds since 1970.
    pub created_at: i64,
    /// Why it waits for a person, or was refused.
    pub reasons: Vec<String>,
}

/// Credit to send back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundRequest {
    /// The payment that bought it.
    pub payment: String,
    /// How much of its credit, in whole cents. Absent: what is left of it.
    #[serde(default)]
    pub amount: Option<String>,
}

/// Credit that goes back to the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refund {
    /// Its id.
    pub id: String,
    /// The payment that bought it.
    pub payment: String,
    /// The credit.
    pub amount: String,
    /// What goes back to the card: the credit and its taxes.
    pub charge: String,
    /// `open`, `paid`, `failed` or `refused`.
    pub state: String,
    /// When it was asked for, in seconds since 1970.
    pub created_at: i64,
    /// Why it was refused.
    pub problem: Option<String>,
}

/// Some of an account's payments or refunds, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listed<T> {
    /// Always `list`.
    pub object: String,
    /// Them.
    pub data: Vec<T>,
}

impl<T> Listed<T> {
    /// A list of these.
    #[must_use]
    pub fn of(data: Vec<T>) -> Self {
        Self { object: "list".to_owned(), data }
    }
}
