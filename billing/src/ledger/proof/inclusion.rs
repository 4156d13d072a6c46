//! The proof that one transfer is in the log that a checkpoint signed. Whoever has it needs nothing else to check it.

use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, CheckpointError, parse};
use super::merkle::{self, Hash};
use crate::ledger::chain;
use crate::ledger::export::Posting;
use crate::ledger::rows::ChargeFields;
use crate::ledger::types::Receipt;
use crate::ledger::verify::consistent;

/// What a proof says it is, and in which version.
const FORMAT: &str = "peerway-ledger-proof-1";

/// A transfer, the hashes that lead from it to a root, and the signature under that root.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Proof {
    format: String,
    /// The transfer with its entries and its charge: every field that its hash is made of.
    transfer: Posting,
    /// The hashes of its siblings in the Merkle tree (RFC 6962), nearest first, in lower-case hex.
    path: Vec<String>,
    checkpoint: Checkpoint,
}

/// What a proof proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proven {
    /// The transfer's place in the log.
    pub seq: i64,
    /// The receipt, where the transfer is a charge: its amounts follow from its price and tokens.
    pub receipt: Option<Receipt>,
    /// Under which checkpoint it lies.
    pub checkpoint: Checkpoint,
    /// Whether the checkpoint's key is the one that the checker expected, and not only the one that the proof names.
    pub key_expected: bool,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Something else, or a later version.
    #[error("this is no proof that this program knows: its format is {0:?}, and should be \"peerway-ledger-proof-1\"")]
    Format(String),
    /// The transfer was changed.
    #[error("the transfer was changed: its hash is not that of its fields")]
    Transfer,
    /// The amounts are not what they should be.
    #[error("the charge does not agree with itself: {0}")]
    Charge(String),
    /// It does not lead to the root.
    #[error("the path does not lead from the transfer to the checkpoint's root")]
    Path,
    /// The checkpoint is not to be believed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Somebody else signed it.
    #[error("the checkpoint was signed with key {found}, and not with the expected {expected}")]
    Key {
        /// The key that signed.
        found: String,
        /// The key that should have.
        expected: String,
    },
}

impl Proof {
    pub(crate) fn new(transfer: Posting, path: &[Hash], checkpoint: Checkpoint) -> Self {
        Self { format: FORMAT.to_owned(), transfer, path: path.iter().map(hex::encode).collect(), checkpoint }
    }

    /// Checks every step, from the transfer's fields to the signature. `key`: the public key of the ledger's owner in
    /// hex, as they published it; without it the proof's own word is taken for that.
    ///
    /// # Errors
    /// The first step that does not hold.
    pub fn check(&self, key: Option<&str>) -> Result<Proven, ProofError> {
        let Self { format, transfer: posting, path, checkpoint } = self;
        if format != FORMAT {
            return Err(ProofError::Format(format.chars().take(40).collect()));
        }
        let hash = chain::link(&posting.transfer, &posting.entries, posting.charge.as_ref(), &posting.parts);
        if hash != posting.transfer.hash {
            return Err(ProofError::Transfer);
        }
        let receipt = receipt(posting).map_err(ProofError::Charge)?;
        let (place, size) = place(posting.transfer.seq, checkpoint.seq).ok_or(ProofError::Path)?;
        let leaf = merkle::leaf(&parse(&hash).ok_or(ProofError::Transfer)?);
        let path: Vec<Hash> = path.iter().map(|hash| parse(hash)).collect::<Option<_>>().ok_or(ProofError::Path)?;
        if merkle::root(leaf, place, size, &path) != Some(checkpoint.root()?) {
            return Err(ProofError::Path);
        }
        checkpoint.check()?;
        if let Some(expected) = key
            && !expected.eq_ignore_ascii_case(&checkpoint.key)
        {
            return Err(ProofError::Key { found: checkpoint.key.clone(), expected: expected.to_owned() });
        }
        let seq = posting.transfer.seq;
        Ok(Proven { seq, receipt, checkpoint: checkpoint.clone(), key_expected: key.is_some() })
    }
}

/// The charge's receipt, if its amounts follow from its price and tokens; `None` for a transfer that is no charge.
fn receipt(posting: &Posting) -> Result<Option<Receipt>, String> {
    let sum: i128 = posting.entries.iter().map(|entry| i128::from(entry.amount)).sum();
    if sum != 0 {
        return Err(format!("its entries sum to {sum}"));
    }
    let Some(charge) = &posting.charge else { return Ok(None) };
    consistent(charge, posting)?;
    charge.to_receipt(&posting.parts).map(Some).map_err(|error| error.to_string())
}

/// A transfer's place in the tree, and the tree's size.
fn place(seq: i64, size: i64) -> Option<(u64, u64)> {
    Some((u64::try_from(seq.checked_sub(1)?).ok()?, u64::try_from(size).ok()?))
}
