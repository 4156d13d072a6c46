//! Responses that are kept: to be asked for again, to be gone on from, and to be made in the background.
//!
//! | file | idea |
//! | --- | --- |
//! | `store` | the folder of responses that have ended |
//! | `running` | responses that are made in the background |
//! | `keeping` | puts a response into the store when it ends |
//!
//! A response is a plain file in a folder of its account, as the models of the catalog are: what callers said is not the
//! ledger's, which keeps everything for ever, while these are gone after 30 days or when their owner deletes them.

mod keeping;
mod running;
mod store;

pub use keeping::{Keep, Keeping};
pub use running::{Background, Running};
pub use store::{ResponseStore, Stored};
