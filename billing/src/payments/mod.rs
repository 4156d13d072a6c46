//! Payments by card: credit that is bought, sent back, taken back by a bank, or bought again when it runs low.
//!
//! Events only say where to look. The payment is asked for again with its refunds and disputes ([`truth`]), and what follows from it
//! is said to the ledger each time: the ledger takes each move once, by the name of what it *is* (the PaymentIntent, the refund, the
//! dispute). Rejected: a state machine of events, for which every order, loss and repetition is a case of its own.
//!
//! | file | idea |
//! | --- | --- |
//! | `truth` | what a payment asks of the ledger, as it stands now |
//! | `look` | asking for it, and doing what follows |
//! | `events` | what Stripe tells: kept raw, then looked into |
//! | `reconcile` | what nobody told |
//! | `checkout` | payment pages and the customer's portal |
//! | `back` | unused credit that goes back |
//! | `recharge`, `top_up` | a saved card that is charged when credit runs low, and when |
//! | `provider` | what is asked of Stripe |
//! | `review` | payments that wait for a person, and warnings of fraud |
//! | `trust`, `anomaly` | how much is let in from whom, and what is unusual |

mod amount;
mod anomaly;
mod back;
mod checkout;
mod error;
mod events;
#[cfg(test)]
mod kill_points;
mod look;
mod moves;
mod provider;
mod recharge;
mod reconcile;
mod review;
mod rules;
mod top_up;
mod trust;
mod truth;
mod view;

use std::sync::Arc;

use peerway_billing_store::PaymentRecords;
pub use peerway_billing_stripe::webhook::{MOST_BYTES as MOST_EVENT_BYTES, Secrets, SignatureError};
use peerway_billing_stripe::{CallError, StripeClient};
pub use peerway_billing_stripe::{Cents, PaymentId, StripeConfig};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::ledger::Ledger;

pub use back::AskedBack;
pub use checkout::{NewPage, Page};
pub use error::PaymentError;
pub use events::EventRefused;
use provider::Provider;
pub use recharge::TopUpSettings;
pub use rules::{PaymentRules, WarningRule};
pub use view::{PaidBack, Payment, PaymentState, TopUp};

/// Payments through Stripe. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Payments {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    ledger: Ledger,
    records: Arc<dyn PaymentRecords>,
    stripe: Box<dyn Provider>,
    secrets: Option<Secrets>,
    rules: PaymentRules,
    /// An event was kept.
    told: Notify,
}

impl Payments {
    /// Does not ask Stripe anything yet. Without `secrets` no event is believed, and payments are found by asking alone.
    ///
    /// # Errors
    /// The key or the address of Stripe cannot be used, or the ledger's database keeps no payments.
    pub fn new(
        ledger: Ledger,
        stripe: StripeConfig,
        secrets: Option<Secrets>,
        rules: PaymentRules,
    ) -> Result<Self, PaymentError> {
        let records = ledger.payment_records().ok_or(PaymentError::NoRecords)?;
        Ok(Self::of(ledger, records, Box::new(StripeClient::new(stripe)?), secrets, rules))
    }

    fn of(
        ledger: Ledger,
        records: Arc<dyn PaymentRecords>,
        stripe: Box<dyn Provider>,
        secrets: Option<Secrets>,
        rules: PaymentRules,
    ) -> Self {
        Self { inner: Arc::new(Inner { ledger, records, stripe, secrets, rules, told: Notify::new() }) }
    }

    fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    fn stripe(&self) -> &dyn Provider {
        &*self.inner.stripe
    }

    fn records(&self) -> &dyn PaymentRecords {
        &*self.inner.records
    }

    fn now(&self) -> Timestamp {
        self.inner.ledger.clock().now()
    }
}

/// A name for something that is about to be begun.
fn new_name(kind: &str) -> String {
    format!("{kind}_{}", uuid::Uuid::now_v7().simple())
}

/// A name that an account's caller gave, so that asking twice is asking once; another one each time where none was given.
fn named(kind: &str, account: &AccountId, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{kind}_{}", &hex::encode(Sha256::digest(format!("{account}\n{name}")))[..32]),
        None => new_name(kind),
    }
}

/// A name that Stripe gave and we kept.
fn kept<T: std::str::FromStr>(name: &str) -> Result<T, PaymentError> {
    name.parse().map_err(|_| PaymentError::Stripe(CallError::Unsent(format!("`{name:.80}` was kept and is no name"))))
}
