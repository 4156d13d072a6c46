//! What we write on Stripe's objects, so that an object alone says whose it is and what it is for.

use std::collections::HashMap;

use crate::cents::Cents;

/// On customers and payments: the account that pays.
const ACCOUNT: &str = "peerway_account";
/// On payments: our own name for it, given before Stripe was asked.
const ORDER: &str = "peerway_order";
/// On payments: how many cents of credit are bought. Taxes come on top.
const CREDIT: &str = "peerway_credit_cents";
/// On refunds: our own name for it. One without it was made in Stripe's dashboard.
const REFUND: &str = "peerway_refund";

type Tags = HashMap<String, String>;

pub(crate) fn of_account(account: &str) -> Tags {
    Tags::from([(ACCOUNT.to_owned(), account.to_owned())])
}

pub(crate) fn of_order(account: &str, order: &str, credit: Cents) -> Tags {
    let mut tags = of_account(account);
    tags.insert(ORDER.to_owned(), order.to_owned());
    tags.insert(CREDIT.to_owned(), credit.get().to_string());
    tags
}

pub(crate) fn of_refund(refund: &str) -> Tags {
    Tags::from([(REFUND.to_owned(), refund.to_owned())])
}

pub(crate) fn account(tags: &Tags) -> Option<String> {
    tags.get(ACCOUNT).cloned()
}

pub(crate) fn order(tags: &Tags) -> Option<String> {
    tags.get(ORDER).cloned()
}

pub(crate) fn credit(tags: &Tags) -> Option<Cents> {
    tags.get(CREDIT)?.parse().ok().and_then(Cents::new)
}

pub(crate) fn refund(tags: &Tags) -> Option<String> {
    tags.get(REFUND).cloned()
}
