//! What the ledger asks of a database.

mod error;
mod payments;

pub use error::{OpenError, StoreError};
pub use payments::{EventRow, PaymentRecords, PaymentRow, RefundRow, TopUpRow};
