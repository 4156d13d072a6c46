//! How long a model's answers are, learnt from those it gave.
//!
//! A node's prices for prompt and answer weigh by how much of each a request takes, and how much it generates is not known
//! before. Models differ in it by far more than requests to one of them do.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::TYPICAL_COMPLETION;

/// One part in so many of each new answer, and the rest of what is known.
const WEIGHT: u64 = 32;
/// Means are kept in thousandths of a token, or short answers would never move them.
const PARTS: u64 = 1000;

/// See the module. Reading takes no lock.
#[derive(Debug, Default)]
pub struct Habits {
    /// Only models of the catalog are learnt, so there are not many.
    models: ArcSwap<HashMap<String, Arc<AtomicU64>>>,
    adding: Mutex<()>,
}

impl Habits {
    /// Generated tokens that an answer of this model is likely to have, where it may have so many.
    #[must_use]
    pub fn likely_completion(&self, model: &str, limit: u64) -> u64 {
        let known = self.models.load().get(model).map(|mean| mean.load(Relaxed) / PARTS);
        known.unwrap_or(TYPICAL_COMPLETION).max(1).min(limit)
    }

    /// An answer had so many tokens. Two at one instant may lose one of each other: it is a mean, and no count.
    pub fn learn(&self, model: &str, tokens: u64) {
        let tokens = tokens.saturating_mul(PARTS);
        if let Some(mean) = self.models.load().get(model) {
            let old = mean.load(Relaxed);
            let learnt = old - old / WEIGHT + tokens / WEIGHT;
            mean.store(learnt, Relaxed);
            return;
        }
        let _adding = self.adding.lock();
        let mut models = HashMap::clone(&self.models.load());
        models.entry(model.to_owned()).or_insert_with(|| Arc::new(AtomicU64::new(tokens)));
        self.models.store(Arc::new(models));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_known_by_its_answers_and_bound_by_the_limit() {
        let habits = Habits::default();
        assert_eq!(habits.likely_completion("m", 4096), TYPICAL_COMPLETION);
        habits.learn("m", 40);
        assert_eq!((habits.likely_completion("m", 4096), habits.likely_completion("m", 16)), (40, 16));
        (0..300).for_each(|_| habits.learn("m", 1000));
        assert!((950..=1000).contains(&habits.likely_completion("m", 4096)));
        assert_eq!(habits.likely_completion("other", 4096), TYPICAL_COMPLETION);
    }
}
