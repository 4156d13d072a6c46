//! Why a journal cannot be opened.

use std::path::PathBuf;

/// Why a till has no journal to open with. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder or a file in it cannot be used.
    #[error("the journal of captures {} cannot be used: {reason}", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A newer Peerway wrote it.
    #[error(
        "the journal's file {file} has format {found}, and this Peerway knows up to {known}: start the newer one once"
    )]
    Newer {
        /// The file.
        file: String,
        /// Its format.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
}
