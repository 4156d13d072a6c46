//! The suite on SQLite.

/// What the tests need, with books in SQLite.
mod desk {
    pub(crate) use crate::desk::*;

    pub(crate) type Desk = crate::desk::Desk<crate::databases::SqliteFile>;
}

#[path = "back.rs"]
mod back;
#[path = "buying.rs"]
mod buying;
#[path = "top_ups.rs"]
mod top_ups;
