//! Who may call and what they may change, asked of the whole HTTP service: its layers, in their order, and a ledger.

mod account;
mod admin;
mod setting;
mod speed;
