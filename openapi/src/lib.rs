//! What callers see.
//!
//! Everything that crosses the HTTP boundary is defined here, once: the wire types of the OpenAI API as its clients
//! expect them, the error envelope, the framing of server-sent events and the OpenAPI document. Gateway and node speak
//! the same dialect to each other, so a node can be tested with any OpenAI client and the gateway against any server.
//!
//! async-openai's types were tried first and serve as the judge in this crate's tests, but not as the types themselves:
//! its untagged enums answer bad input with "data did not match any variant", where a caller must be told the field,
//! and there is no place in them for what Peerway adds (`cost`, `provider`, mistral.rs's sampling fields).

pub mod account;
pub mod admin;
pub mod billing;
pub mod chat;
pub mod completions;
pub mod dialect;
pub mod document;
pub mod embeddings;
pub mod error;
pub mod messages;
pub mod models;
pub mod parse;
pub mod present;
pub mod prices;
pub mod relay;
pub mod responses;
pub mod routing;
mod schema;
pub mod sse;
pub mod statement;
pub mod usage;

pub use dialect::Dialect;
pub use error::{ApiError, ErrorKind};
