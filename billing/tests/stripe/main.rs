//! Payments in the books, against a Stripe that keeps books of its own (`billing/stripe/fake`).

#![allow(clippy::unwrap_used)] // a test that cannot go on says where

#[allow(dead_code)] // the tests of another crate use the rest
#[path = "../../stripe/tests/it/fake.rs"]
mod fake;

mod back;
mod buying;
mod desk;
mod top_ups;
