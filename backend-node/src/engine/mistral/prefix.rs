//! Bounds what mistral.rs keeps of finished conversations.
//!
//! mistral.rs 0.8.1 keeps the state of every finished sequence, so that the next turn of a conversation need not be read
//! again from the start: a prompt of 1000 tokens then begins to be answered in half a second and not in ten. But its
//! eviction only counts what lies on an accelerator. On a CPU nothing is ever evicted, and a node would grow by some 20 MB
//! with every answer until it dies. So finished answers are counted here, and past the bound the whole cache is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mistralrs::MistralRs;

use super::evict;

/// Counts finished answers.
#[derive(Debug)]
pub(super) struct PrefixCache {
    /// None: mistral.rs bounds the cache by itself, or there is none.
    bound: Option<usize>,
    finished: AtomicUsize,
}

impl PrefixCache {
    /// `is_unbounded`: mistral.rs keeps everything. `bound`: how much is to be kept.
    pub(super) fn new(is_unbounded: bool, bound: usize) -> Self {
        Self { bound: (is_unbounded && bound > 0).then_some(bound), finished: AtomicUsize::new(0) }
    }

    /// Drops the cache where it is full. To be called when nothing runs: where the cache is unbounded, answers run one at
    /// a time anyway.
    pub(super) async fn make_room(&self, runner: &Arc<MistralRs>) {
        if self.bound.is_some_and(|bound| self.finished.load(Ordering::Acquire) >= bound) {
            evict::evict_all(runner).await;
            self.finished.store(0, Ordering::Release);
        }
    }

    /// An answer came to its end, and mistral.rs keeps its state.
    pub(super) fn count(&self) {
        self.finished.fetch_add(1, Ordering::AcqRel);
    }
}
