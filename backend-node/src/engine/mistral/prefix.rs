//! Bounds what mistral.rs keeps of finished conversations.
//!
//! mistral.rs 0.8.1 keeps the state of every finished sequence, so that the next turn of a conversation need not be read
//! again from the start: a prompt of 1000 tokens then begins to be answered in half a second and not in twenty. But its
//! eviction only counts what lies on an accelerator. On a CPU nothing is ever evicted, and a node would grow by some 20 MB
//! with every answer until it dies. So finished answers are counted here, and past the bound the whole cache is dropped,
//! at a moment when nothing runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mistralrs::MistralRs;
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use super::evict;

/// Counts finished answers.
pub(super) struct PrefixCache {
    /// None: mistral.rs bounds the cache by itself, or there is none.
    bound: Option<usize>,
    finished: AtomicUsize,
    running: Arc<RwLock<()>>,
}

/// An answer that may run while the cache is left alone.
pub(super) struct Kept {
    cache: Arc<PrefixCache>,
    _running: OwnedRwLockReadGuard<()>,
}

impl PrefixCache {
    /// `is_unbounded`: mistral.rs keeps everything. `bound`: how much is kept.
    pub(super) fn new(is_unbounded: bool, bound: usize) -> Arc<Self> {
        let bound = (is_unbounded && bound > 0).then_some(bound);
        Arc::new(Self { bound, finished: AtomicUsize::new(0), running: Arc::default() })
    }

    /// Lets an answer run, after dropping the cache where it is full.
    ///
    /// A full cache is dropped when nothing runs; at twice the bound, new answers wait until nothing does.
    pub(super) async fn enter(self: &Arc<Self>, runner: &Arc<MistralRs>) -> Kept {
        if let Some(bound) = self.bound {
            let finished = self.finished.load(Ordering::Acquire);
            let alone = match finished {
                count if count >= bound.saturating_mul(2) => Some(self.running.clone().write_owned().await),
                count if count >= bound => self.running.clone().try_write_owned().ok(),
                _ => None,
            };
            // Asked again: another answer may have dropped it while this one waited.
            if let Some(_alone) = alone
                && self.finished.load(Ordering::Acquire) >= bound
            {
                evict::evict_all(runner).await;
                self.finished.store(0, Ordering::Release);
            }
        }
        Kept { cache: self.clone(), _running: self.running.clone().read_owned().await }
    }
}

impl Kept {
    /// The answer came to its end, and mistral.rs keeps its state.
    pub(super) fn finished(&self) {
        self.cache.finished.fetch_add(1, Ordering::AcqRel);
    }
}
