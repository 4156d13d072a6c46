//! HTTP/1.1 over peer streams: requests go from gateways to nodes.
//!
//! One request at a time on a stream, and streams are kept for the next request, because opening one costs several times
//! what a request does. HTTP/1.1 rather than HTTP/2: the connection below multiplexes already, and giving up a request is
//! closing its stream, which the far side notices at once.

mod body;
mod client;
mod connection;
mod error;
mod pool;
mod request;
mod route;
mod server;

pub use body::ResponseBody;
pub use client::{Client, ClientConfig, ClientStats};
pub use error::SendError;
use request::RequestBody;
pub(crate) use route::Routes;
pub use server::ServerConfig;
pub(crate) use server::{ConnectionService, Server};

/// An error of any kind.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
