//! Makes the engine's thread a worker of the pool that its kernels use.
//!
//! candle splits every row of a quantized product over rayon, some two hundred times a token. From a thread outside the
//! pool, each time costs a hand-over to a worker and a sleep until it is done, about as long as the work itself: that is
//! why a prompt kept one core busy and not all. A worker instead begins at once and lets others take what they can.
//!
//! mistral.rs starts the engine's thread itself and has no hook for it. The logits processor is the only code of ours that
//! runs there, so it is where the thread joins, once, after its first token.

use std::cell::RefCell;

use rayon::{ThreadPool, ThreadPoolBuilder};

thread_local! {
    /// The pool that this thread is a worker of. It lives as long as the thread.
    static POOL: RefCell<Option<ThreadPool>> = const { RefCell::new(None) };
}

/// Joins the calling thread, unless it is a worker already. Called by the engine's thread.
pub(super) fn join_from_engine() {
    // With two sequences or more, logits are processed on a worker; the engine's own thread comes by with a single one.
    if rayon::current_thread_index().is_some() {
        return;
    }
    let threads = rayon::current_num_threads();
    if threads < 2 {
        // A pool of this thread alone would never run what mistral.rs hands to it while this thread waits elsewhere.
        return;
    }
    let built = ThreadPoolBuilder::new()
        .num_threads(threads)
        .use_current_thread()
        .thread_name(|number| format!("engine-{number}"))
        .build();
    match built {
        Ok(pool) => POOL.with(|held| *held.borrow_mut() = Some(pool)),
        Err(error) => {
            tracing::debug!(%error, "the engine's thread could not join a pool; prompts are read more slowly");
        }
    }
}
