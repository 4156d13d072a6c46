//! The suite on PostgreSQL.

/// What the tests need, with a ledger in PostgreSQL.
mod support {
    pub(crate) use crate::databases::TestDatabase;
    pub(crate) use crate::support::*;

    pub(crate) type Database = crate::databases::PostgresDatabase;
    pub(crate) type Bench = crate::support::Bench<Database>;
}

#[path = "audit.rs"]
mod audit;
#[path = "budgets.rs"]
mod budgets;
#[path = "histories.rs"]
mod histories;
#[path = "keys.rs"]
mod keys;
#[path = "ledger.rs"]
mod ledger;
#[path = "members.rs"]
mod members;
#[path = "parts.rs"]
mod parts;
#[path = "till.rs"]
mod till;
