//! The endpoints, one file each.

pub mod chat;
pub mod completions;
pub mod document;
pub mod embeddings;
pub mod messages;
pub mod models;
pub mod probes;

pub(crate) mod body;
