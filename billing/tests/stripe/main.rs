//! Payments in the books, against a Stripe that keeps books of its own (`billing/stripe/fake`).
//!
//! `on_sqlite` and `on_postgres` are one suite, compiled once for each database.

#![allow(clippy::unwrap_used)] // a test that cannot go on says where
#![allow(clippy::duplicate_mod)] // the suite

#[allow(dead_code)] // other tests use the rest
#[path = "../it/databases/mod.rs"]
mod databases;
#[allow(dead_code)] // the tests of another crate use the rest
#[path = "../../stripe/tests/it/fake.rs"]
mod fake;

mod desk;
mod on_postgres;
mod on_sqlite;
