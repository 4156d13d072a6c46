//! What SQLite's failures mean to a ledger.

use peerway_billing_store::StoreError;

/// "Database is locked": another process is writing.
pub(crate) const BUSY: u32 = 5;
/// "Database disk image is malformed".
const CORRUPT: u32 = 11;
/// "File is not a database".
pub(crate) const NOT_A_DATABASE: u32 = 26;

/// SQLite's own code; its kinds are told apart in higher bits.
pub(crate) fn code(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse::<u32>().ok().map(|code| code & 0xff)
}

/// Whether the file rather than the way to it is at fault.
pub(crate) fn failed(error: sqlx::Error) -> StoreError {
    let decodes = matches!(error, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. });
    let damaged = decodes || matches!(code(&error), Some(CORRUPT | NOT_A_DATABASE));
    let message = error.to_string();
    drop(error);
    if damaged { StoreError::Damaged(message) } else { StoreError::Unavailable(message) }
}
