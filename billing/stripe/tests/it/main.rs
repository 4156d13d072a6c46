//! Calls against a Stripe that keeps books and pays nobody (`billing/stripe/fake`), in a process of its own.

mod calls;
#[allow(dead_code)] // tests of another crate use the rest
mod fake;
mod outages;
