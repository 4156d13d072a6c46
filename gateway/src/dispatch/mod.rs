//! Sending a request to a node, and reading what comes back.
//!
//! A node answers in server-sent events even when the caller did not ask for a stream: so the gateway sees every token
//! as it comes, notices a node that hangs, and can tell what was generated when the caller leaves. Until the first
//! piece has arrived nothing has been shown to the caller, and a failure moves on to the next node.

mod answer;
mod attempts;
mod events;
mod fault;
mod form;
mod hedge;
mod pace;
mod patience;
mod retries;
mod send;
mod stream;
mod whole;

pub use answer::NodeAnswer;
pub use attempts::Attempts;
pub use fault::NodeFault;
pub use form::{Form, Most};
pub use patience::Pauses;
pub use retries::RetryBudget;
pub use stream::{Asking, Dispatched, dispatch, go_on};
pub use whole::{Fetching, fetch};
