//! Early fraud warnings: a card network says that a payment may be fraud, days before the payer disputes it.

use std::collections::HashMap;

use miniserde::Deserialize;
use stripe_client_core::{RequestBuilder, StripeMethod};

use crate::client::StripeClient;
use crate::error::CallError;
use crate::id::{PaymentId, WarningId};
use crate::name_of;

/// A warning as Stripe has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FraudWarning {
    /// Its name.
    pub id: WarningId,
    /// The payment it is about.
    pub payment: Option<PaymentId>,
    /// Whether sending the money back still spares the dispute.
    pub actionable: bool,
    /// What kind of fraud, in the network's words.
    pub kind: String,
}

/// Radar's objects are in a crate of their own, for one field of which we have use.
#[derive(Deserialize)]
struct Wire {
    id: String,
    actionable: bool,
    fraud_type: String,
    payment_intent: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Wire>,
}

impl StripeClient {
    /// A warning as it stands now.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn fraud_warning(&self, id: &WarningId) -> Result<FraudWarning, CallError> {
        let path = format!("/radar/early_fraud_warnings/{id}");
        view(self.read_raw::<Wire>(RequestBuilder::new(StripeMethod::Get, path).customize()).await?)
    }

    /// All warnings about a payment.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn fraud_warnings_of(&self, payment: &PaymentId) -> Result<Vec<FraudWarning>, CallError> {
        let request = RequestBuilder::new(StripeMethod::Get, "/radar/early_fraud_warnings")
            .query(&HashMap::from([("payment_intent", payment.as_str())]));
        self.read_raw::<Page>(request.customize()).await?.data.into_iter().map(view).collect()
    }
}

fn view(warning: Wire) -> Result<FraudWarning, CallError> {
    Ok(FraudWarning {
        id: name_of(&warning.id)?,
        payment: warning.payment_intent.as_deref().map(name_of).transpose()?,
        actionable: warning.actionable,
        kind: warning.fraud_type,
    })
}
