//! What Stripe tells us without being asked.
//!
//! Believed is that Stripe sent it ([`Secrets::check`]), and which object it is about ([`Event`]). What the event says of the object
//! is not read: events come late, twice and in any order, and in the form of whatever version the sender has. Rejected:
//! `async-stripe-webhook`, which refuses an event that differs from its own types in anything.

mod event;
mod signature;

pub use event::{Event, EventError, Subject};
pub use signature::{Secrets, SignatureError, TOLERANCE_SECONDS};

/// The most bytes of an event. Stripe's are a few kilobytes.
pub const MOST_BYTES: usize = 256 * 1024;
