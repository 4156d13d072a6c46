//! The ledger and the till from outside, on real databases. Everything in one binary: it links once.
//!
//! `on_sqlite` and `on_postgres` are one suite, compiled once for each database; the rest is about one of them, or both.

#![allow(clippy::unwrap_used)] // a test that cannot go on says where
#![allow(clippy::duplicate_mod)] // the suite

mod crash;
mod databases;
mod money;
mod on_postgres;
mod on_sqlite;
mod opening;
mod oracle;
mod postgres;
mod support;
mod tamper;
