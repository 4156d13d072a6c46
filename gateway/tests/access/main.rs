//! Who may call and what they may change, asked of the whole HTTP service: its layers, in their order, and a ledger.

#![allow(clippy::unwrap_used, clippy::large_futures)] // helpers of tests are no tests to clippy

mod account;
mod admin;
mod alerts;
mod setting;
mod speed;
mod statement;
