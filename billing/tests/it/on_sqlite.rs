//! The suite on SQLite.

/// What the tests need, with a ledger in SQLite.
mod support {
    pub(crate) use crate::databases::TestDatabase;
    pub(crate) use crate::support::*;

    pub(crate) type Database = crate::databases::SqliteFile;
    pub(crate) type Bench = crate::support::Bench<Database>;
}

#[path = "alerts.rs"]
mod alerts;
#[path = "audit.rs"]
mod audit;
#[path = "budgets.rs"]
mod budgets;
#[path = "days.rs"]
mod days;
#[path = "histories.rs"]
mod histories;
#[path = "journal.rs"]
mod journal;
#[path = "keys.rs"]
mod keys;
#[path = "ledger.rs"]
mod ledger;
#[path = "members.rs"]
mod members;
#[path = "parts.rs"]
mod parts;
#[path = "payments.rs"]
mod payments;
#[path = "proofs.rs"]
mod proofs;
#[path = "scarce.rs"]
mod scarce;
#[path = "takeover.rs"]
mod takeover;
#[path = "till.rs"]
mod till;
