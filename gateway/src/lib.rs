//! The gateway: one base URL in front of a market of peers.
//!
//! [`stack`] orders the HTTP layers; [`inference`] is the life of one request. Money is `peerway-billing`'s, peers are
//! `peerway-p2p`'s, and what callers see is `peerway-openapi`'s: this crate joins the three.

pub mod access;
pub mod admin;
pub mod admission;
pub mod alerts;
pub mod api;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod dispatch;
pub mod gateway;
pub mod idempotency;
pub mod inference;
pub mod layers;
pub mod limits;
pub mod media;
pub mod meter;
pub mod payments;
pub mod prices;
pub mod responses;
pub mod route;
pub mod server;
pub mod signer;
pub mod stack;
pub mod telemetry;
pub mod work;

pub use gateway::Gateway;
