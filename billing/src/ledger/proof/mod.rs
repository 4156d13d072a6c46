//! Proofs to somebody who does not have the log: signed checkpoints, and that one transfer is under them.

mod checkpoint;
mod inclusion;
pub(crate) mod merkle;

pub(crate) use checkpoint::parse;
pub use checkpoint::{Checkpoint, CheckpointError, CheckpointKey};
pub use inclusion::{Proof, ProofError, Proven};
