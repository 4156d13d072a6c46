//! What happens to every request, whatever it asks for. [`crate::stack`] says in which order and why.

mod access_log;
mod auth;
mod cors;
mod in_flight;
mod rate_limit;
mod request_id;
mod watched_body;

pub use access_log::AccessLogLayer;
pub use auth::{require_inference, require_key};
pub use cors::cors;
pub use in_flight::InFlightLimitLayer;
pub use rate_limit::limit_rate;
pub use request_id::{RequestId, RequestIdLayer};
pub use watched_body::WatchedBody;
