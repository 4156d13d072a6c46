//! The endpoints, one file each.

pub mod chat;
pub mod document;
pub mod models;
pub mod probes;

mod body;
