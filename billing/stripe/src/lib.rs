//! What Peerway asks of Stripe, and what it believes of its answers.
//!
//! Three rules. Every act has a key made of what it is ([`CallKey`]), so that sending it twice does it once. A failed call says
//! whether it may have been done all the same ([`CallError`]). And an event only says where to look ([`webhook`]): what is
//! believed is the object itself, asked for again.
//!
//! Nothing here knows of the ledger: amounts are [`Cents`] as Stripe counts them, accounts are plain text.

mod cents;
mod checkout;
mod client;
mod connect;
mod customer;
mod dispute;
mod error;
mod fraud;
mod id;
mod key;
mod list;
mod payment;
mod refund;
mod tags;
pub mod webhook;

pub use cents::Cents;
pub use checkout::{Checkout, NewCheckout};
pub use client::{StripeClient, StripeConfig};
pub use connect::{Connected, Transfer};
pub use dispute::{Dispute, DisputeStatus};
pub use error::{CallError, Refusal};
pub use fraud::FraudWarning;
pub use id::{
    CardId, ChargeId, ConnectedId, CustomerId, DisputeId, EventId, NoName, PaymentId, RefundId, SessionId, TransferId,
    WarningId,
};
pub use key::CallKey;
pub use list::Paged;
pub use payment::{Card, LastCharge, NewPayment, Payment, PaymentStatus};
pub use refund::{Refund, RefundStatus};

/// A name in an answer. Stripe did what was asked, so one that cannot be read leaves the outcome unknown.
fn name_of<T: std::str::FromStr<Err = NoName>>(name: &str) -> Result<T, CallError> {
    name.parse()
        .map_err(|NoName| CallError::Unknown(format!("Stripe tells a name of {} bytes that is none", name.len())))
}
