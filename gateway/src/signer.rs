//! The ledger signed now and then, with a key that lies in the data folder.
//!
//! Its public half is in every checkpoint. Whoever runs the gateway publishes it where callers find it, so that a forger
//! of the whole ledger would need that place too.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use peerway_billing::{Checkpoint, CheckpointKey, Ledger, LedgerError, Timestamp};
use tokio::sync::Mutex;
use tracing::warn;

use crate::access::secret_bytes;

/// How often it is looked whether there is something to sign.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Signs the ledger, one signature at a time.
#[derive(Debug)]
pub struct Signer {
    ledger: Ledger,
    key: CheckpointKey,
    turn: Mutex<()>,
}

impl Signer {
    /// One with the key in this file, which is made where it is missing.
    ///
    /// # Errors
    /// Where the file cannot be used, is open to others, or is no key.
    pub fn open(ledger: Ledger, path: &Path) -> anyhow::Result<Self> {
        let seed = secret_bytes(path, "checkpoint key")?;
        let key = CheckpointKey::from_seed(&seed).context("the checkpoint key cannot sign")?;
        Ok(Self { ledger, key, turn: Mutex::default() })
    }

    /// The public half of the key, in hexadecimal.
    #[must_use]
    pub fn public(&self) -> String {
        self.key.public()
    }

    /// Signs what is new; answers the newest checkpoint, `None` for an empty log. Who asks while another is signing waits,
    /// and then there is nothing new: however many ask, the log is read once.
    ///
    /// # Errors
    /// As [`Ledger::checkpoint`].
    pub async fn sign(&self) -> Result<Option<Checkpoint>, LedgerError> {
        let _turn = self.turn.lock().await;
        self.ledger.checkpoint(&self.key).await
    }

    /// Signs after so many transfers or so much time, while there is something new. Until it is aborted.
    pub async fn follow(self: Arc<Self>, transfers: u64, time: Duration) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let signed = match self.is_due(transfers, time).await {
                Ok(true) => self.sign().await.map(|_| ()),
                Ok(false) => Ok(()),
                Err(cause) => Err(cause),
            };
            if let Err(cause) = signed {
                warn!(%cause, "the ledger could not be signed; the next look tries again");
            }
        }
    }

    async fn is_due(&self, transfers: u64, time: Duration) -> Result<bool, LedgerError> {
        let (head, newest) = (self.ledger.head().await?, self.ledger.newest_checkpoint().await?);
        let (signed, at) = newest.map_or((0, Timestamp::from_millis(0)), |newest| (newest.seq, newest.at));
        let new = u64::try_from(head.seq.saturating_sub(signed)).unwrap_or(0);
        Ok(new > 0 && (new >= transfers || self.ledger.clock().now() >= at.after(time)))
    }
}

#[cfg(test)]
mod tests {
    use peerway_billing::{Actor, Clock, LedgerOptions};

    use super::*;

    #[tokio::test]
    async fn it_signs_when_there_is_enough_new_or_enough_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(Timestamp::from_millis(1_800_000_000_000));
        let options = LedgerOptions { clock, ..LedgerOptions::default() };
        let ledger = Ledger::open_with(folder.path().join("ledger"), options).await.unwrap();
        let signer = Signer::open(ledger.clone(), &folder.path().join("checkpoint.key")).unwrap();
        let minute = Duration::from_secs(60);
        let due = async || signer.is_due(3, minute).await.unwrap();

        assert!(!due().await, "an empty log is not signed");
        assert_eq!(signer.sign().await.unwrap(), None);
        ledger.create_account("one", &Actor::operator()).await.unwrap();
        assert!(due().await, "the first is");
        assert_eq!(signer.sign().await.unwrap().unwrap().seq, 1);
        hand.advance(minute);
        assert!(!due().await, "nothing is new");
        ledger.create_account("two", &Actor::operator()).await.unwrap();
        assert!(due().await, "a minute is over");
        signer.sign().await.unwrap();
        for _ in 0..3 {
            assert!(!due().await);
            ledger.create_account("more", &Actor::operator()).await.unwrap();
        }
        assert!(due().await, "three are new");
        let again = Signer::open(ledger.clone(), &folder.path().join("checkpoint.key")).unwrap();
        assert_eq!(again.public(), signer.public(), "the key stays");
    }
}
