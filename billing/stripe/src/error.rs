//! How a call ends when it does not end well.
//!
//! What matters of a failed call is one thing: whether Stripe may have done it all the same. Who takes "no answer" for "no"
//! pays twice; who takes "no" for "no answer" asks for ever. So these are apart in the type.

use std::fmt;

use stripe::{ApiErrors, StripeError};

use crate::id::PaymentId;

/// Why a call did not give what it was to give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Stripe decided against it. Nothing was done, and the same call will end the same.
    #[error("Stripe refused: {0}")]
    Refused(Box<Refusal>),
    /// Stripe does not know the secret key, or the key may not do this. Nothing was done.
    #[error("Stripe does not take the secret key: {0}; check STRIPE_SECRET_KEY")]
    Barred(String),
    /// Too many calls at a time. Nothing was done; it may be tried again later.
    #[error("Stripe has too much to do at the moment")]
    Busy,
    /// No answer, or none that says what happened. It is not known whether it was done: look before asking again.
    #[error("it is not known whether Stripe did it: {0}")]
    Unknown(String),
    /// The call could not be made. Nothing was sent.
    #[error("the call to Stripe could not be made: {0}")]
    Unsent(String),
}

/// What Stripe says about a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    /// The HTTP status: 400, 402, 404 or another of 4xx.
    pub status: u16,
    /// A short code such as `card_declined` or `authentication_required`.
    pub code: Option<String>,
    /// Why the bank declined, such as `insufficient_funds`.
    pub decline: Option<String>,
    /// The parameter at fault.
    pub parameter: Option<String>,
    /// For people.
    pub message: String,
    /// The payment that was declined, where there is one.
    pub payment: Option<PaymentId>,
}

impl Refusal {
    /// Whether what was named is not there.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        self.status == 404
    }

    /// Whether the payer's card or bank is the reason.
    #[must_use]
    pub const fn is_decline(&self) -> bool {
        self.status == 402
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (status {}", self.message, self.status)?;
        for (name, value) in [("code", &self.code), ("decline", &self.decline), ("parameter", &self.parameter)] {
            if let Some(value) = value {
                write!(f, ", {name} {value}")?;
            }
        }
        f.write_str(")")
    }
}

impl From<StripeError> for CallError {
    fn from(error: StripeError) -> Self {
        match error {
            StripeError::Stripe(told, status) => judge(*told, status),
            // Of an answer that cannot be read the status is not known either.
            StripeError::JSONDeserialize(why) | StripeError::ClientError(why) => Self::Unknown(why),
            StripeError::Timeout => Self::Unknown("no answer in time".to_owned()),
            StripeError::ConfigError(why) => Self::Unsent(why),
        }
    }
}

/// 409 is among what is not known: a call with the same key may be under way.
fn judge(told: ApiErrors, status: u16) -> CallError {
    let message = told.message.unwrap_or_else(|| "no reason given".to_owned());
    match status {
        401 | 403 => CallError::Barred(message),
        429 => CallError::Busy,
        400 | 402 | 404..=408 | 410..=499 => CallError::Refused(Box::new(Refusal {
            status,
            code: told.code.map(|code| code.as_str().to_owned()),
            decline: told.decline_code,
            parameter: told.param,
            message,
            payment: told.payment_intent.and_then(|payment| payment.id.as_str().parse().ok()),
        })),
        _ => CallError::Unknown(format!("status {status}: {message}")),
    }
}
