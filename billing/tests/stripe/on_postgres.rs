//! The suite on PostgreSQL.

/// What the tests need, with books in PostgreSQL.
mod desk {
    pub(crate) use crate::desk::*;

    pub(crate) type Desk = crate::desk::Desk<crate::databases::PostgresDatabase>;
}

#[path = "back.rs"]
mod back;
#[path = "buying.rs"]
mod buying;
#[path = "top_ups.rs"]
mod top_ups;
