//! The endpoints, one file each.

pub mod account;
pub mod admin;
pub mod billing;
pub mod chat;
pub mod completions;
pub mod document;
pub mod embeddings;
pub mod ledger;
pub mod messages;
pub mod models;
pub mod probes;
pub mod responses;
pub mod tokens;
pub mod usage;
pub mod webhooks;

pub(crate) mod body;
pub(crate) mod extract;
mod reply;
