//! Checkpoints: the ledger's owner signs how far the log had come, and its root.
//!
//! A checkpoint that somebody else has keeps the owner honest: a log that was rewritten before it has another hash and
//! another root. Rejected: a signature per transfer, which costs more than the transfer and proves no more.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::merkle::Hash;
use crate::clock::Timestamp;
use crate::ledger::chain::Canonical;

/// Keeps signatures of checkpoints apart from signatures of anything else.
const DOMAIN: &str = "peerway checkpoint 1";

/// How far the log had come, signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// How many transfers the log had.
    pub seq: i64,
    /// The hash of the newest of them: SHA-256 in lower-case hex.
    pub hash: String,
    /// The root of the Merkle tree (RFC 6962) over the hashes of all of them, in lower-case hex.
    pub root: String,
    /// When it was signed: milliseconds since 1970-01-01 UTC.
    pub at: Timestamp,
    /// The Ed25519 public key that signed it, in lower-case hex.
    pub key: String,
    /// The signature, in lower-case hex.
    pub signature: String,
}

/// Why a checkpoint is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// A field is no hex of the right length.
    #[error("the checkpoint's {0} is not hexadecimal of the right length")]
    Field(&'static str),
    /// It was changed, or the key did not sign it.
    #[error("the checkpoint's signature is not that of key {0}")]
    Signature(String),
}

impl Checkpoint {
    /// Whether its key signed exactly this.
    ///
    /// # Errors
    /// A field that cannot be read, or another signature.
    pub fn check(&self) -> Result<(), CheckpointError> {
        let bytes = |name, text: &str| hex::decode(text).map_err(|_| CheckpointError::Field(name));
        let (key, signature) = (bytes("key", &self.key)?, bytes("signature", &self.signature)?);
        self.root()?;
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&self.signed(), &signature)
            .map_err(|_| CheckpointError::Signature(self.key.clone()))
    }

    pub(crate) fn root(&self) -> Result<Hash, CheckpointError> {
        parse(&self.root).ok_or(CheckpointError::Field("root"))
    }

    /// What is signed: the hash of its fields, as transfers are hashed.
    fn signed(&self) -> Hash {
        let Self { seq, hash, root, at, key, signature: _ } = self;
        let mut canonical = Canonical::new(DOMAIN);
        canonical.number(*seq);
        for text in [hash, root] {
            canonical.text(text);
        }
        canonical.number(at.as_millis());
        canonical.text(key);
        canonical.finish()
    }
}

/// A hash in lower-case hex.
pub(crate) fn parse(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    hex::decode_to_slice(text, &mut hash).ok()?;
    (!text.bytes().any(|byte| byte.is_ascii_uppercase())).then_some(hash)
}

/// The ledger owner's key for checkpoints.
pub struct CheckpointKey(Ed25519KeyPair);

impl CheckpointKey {
    /// The key that 32 secret bytes make.
    ///
    /// # Errors
    /// `None` for bytes that make no key.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self)
    }

    /// The public half, in lower-case hex.
    #[must_use]
    pub fn public(&self) -> String {
        hex::encode(self.0.public_key())
    }

    pub(crate) fn sign(&self, seq: i64, hash: &str, root: &Hash, at: Timestamp) -> Checkpoint {
        let (hash, root) = (hash.to_owned(), hex::encode(root));
        let unsigned = Checkpoint { seq, hash, root, at, key: self.public(), signature: String::new() };
        let signature = hex::encode(self.0.sign(&unsigned.signed()));
        Checkpoint { signature, ..unsigned }
    }
}

impl std::fmt::Debug for CheckpointKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CheckpointKey").field(&self.public()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_signed_is_believed() {
        let key = CheckpointKey::from_seed(&[7; 32]).unwrap();
        let good = key.sign(17, &"ab".repeat(32), &[3; 32], Timestamp::from_millis(5));
        assert_eq!(good.check(), Ok(()));
        let other = CheckpointKey::from_seed(&[8; 32]).unwrap();
        for bad in [
            Checkpoint { seq: 18, ..good.clone() },
            Checkpoint { hash: "ac".repeat(32), ..good.clone() },
            Checkpoint { root: "04".repeat(32), ..good.clone() },
            Checkpoint { at: Timestamp::from_millis(6), ..good.clone() },
            Checkpoint { key: other.public(), ..good.clone() },
            Checkpoint { signature: "00".repeat(64), ..good.clone() },
            Checkpoint { signature: "zz".to_owned(), ..good.clone() },
            Checkpoint { root: "0".to_owned(), ..good.clone() },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
