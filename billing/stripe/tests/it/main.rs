//! Calls against a Stripe that keeps books and pays nobody (`billing/stripe/fake`), in a process of its own.

mod calls;
mod fake;
mod outages;
