//! A node: an engine put to work for gateways.
//!
//! `engine` answers requests, `service` is the HTTP face that gateways reach over libp2p, `config` is what an operator
//! sets, and `node` joins the three with the peer-to-peer side. A node never learns about money: it asks a price, and
//! that is all.

pub mod config;
pub mod engine;
pub mod load;
pub mod logging;
pub mod node;
pub mod service;
mod status;
