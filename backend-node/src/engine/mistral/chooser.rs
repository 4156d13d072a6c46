//! Picks each token.
//!
//! mistral.rs 0.8.1 picks tokens itself, but not as a caller of the OpenAI API expects: it has no seed of a request's own,
//! it drops `logit_bias`, its log probabilities are of base ten, and at temperature 0 they are logarithms of logits. Its
//! door for all that is a logits processor. This one picks the token, notes it, and hands back logits that allow no other.
//! Penalties are applied before by mistral.rs; a grammar, where there is one, refuses a token after, and then asks again
//! with the refused tokens masked.

use std::sync::Arc;

use mistralrs::{CustomLogitsProcessor, Tensor};
use parking_lot::Mutex;

use super::draw::{self, Sampling};
use super::rayon_pool;

/// A token picked, and how likely it was.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pick {
    pub(super) token: u32,
    /// Natural logarithm of its probability, and the likeliest tokens with theirs. None where nobody asked.
    pub(super) likelihood: Option<(f32, Vec<(u32, f32)>)>,
}

/// Picks the tokens of one answer.
#[derive(Debug)]
pub(super) struct Chooser {
    sampling: Sampling,
    bias: Vec<(u32, f32)>,
    /// How many likely tokens to note. None: no log probabilities at all.
    logprobs: Option<usize>,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    /// Length of the sequence at the last pick. Where part of the prompt came from the prefix cache, mistral.rs leaves it
    /// out of the first one, so that places cannot be counted from it.
    context: Option<usize>,
    /// Tokens that another node picked before: draws of a seed go on after them.
    before: usize,
    picks: Vec<Pick>,
}

impl Chooser {
    pub(super) fn new(sampling: Sampling, bias: Vec<(u32, f32)>, logprobs: Option<usize>) -> Arc<Self> {
        Arc::new(Self { sampling, bias, logprobs, noted: Mutex::default() })
    }

    /// The answer goes on after so many tokens of another node. To be said before the first pick.
    pub(super) fn go_on_after(&self, tokens: usize) {
        self.noted.lock().before = tokens;
    }

    /// The ids of the picks from this place on.
    pub(super) fn tokens_from(&self, place: usize) -> Vec<u32> {
        self.noted.lock().picks.iter().skip(place).map(|pick| pick.token).collect()
    }

    /// Tokens picked so far.
    pub(super) fn count(&self) -> usize {
        self.noted.lock().picks.len()
    }

    /// The pick at a place of the answer.
    pub(super) fn pick(&self, place: usize) -> Option<Pick> {
        self.noted.lock().picks.get(place).cloned()
    }

    /// The last token picked.
    pub(super) fn last(&self) -> Option<u32> {
        self.noted.lock().picks.last().map(|pick| pick.token)
    }

    /// The place of the answer that is being picked. A grammar that refused a pick asks for the same place again.
    fn begin_pick(&self, context: usize) -> usize {
        let mut noted = self.noted.lock();
        if noted.context.replace(context) == Some(context) {
            noted.picks.pop();
        }
        noted.before + noted.picks.len()
    }
}

impl CustomLogitsProcessor for Chooser {
    fn apply(&self, logits: &Tensor, context: &[u32]) -> mistralrs::Result<Tensor> {
        rayon_pool::join_from_engine();
        let mut values: Vec<f32> = logits.to_vec1()?;
        for &(token, bias) in &self.bias {
            if let Some(value) = usize::try_from(token).ok().and_then(|token| values.get_mut(token)) {
                *value += bias;
            }
        }
        let place = self.begin_pick(context.len());
        let token = draw::draw(&values, &self.sampling, place);
        let likelihood = self.logprobs.map(|top| draw::likelihood(&values, token, top));
        self.noted.lock().picks.push(Pick { token, likelihood });
        values.fill(f32::NEG_INFINITY);
        if let Some(value) = usize::try_from(token).ok().and_then(|token| values.get_mut(token)) {
            *value = 0.0;
        }
        let length = values.len();
        Tensor::from_vec(values, length, logits.device())
    }
}

#[cfg(test)]
mod tests {
    use mistralrs::Device;

    use super::*;

    fn chooser() -> Arc<Chooser> {
        let sampling = Sampling { temperature: 0.0, top_k: None, top_p: 1.0, min_p: 0.0, seed: 1 };
        Chooser::new(sampling, vec![(1, 5.0)], Some(1))
    }

    fn apply(chooser: &Chooser, logits: [f32; 3], context: usize) -> Vec<f32> {
        let logits = Tensor::from_vec(logits.to_vec(), 3, &Device::Cpu).unwrap();
        chooser.apply(&logits, &vec![0; context]).unwrap().to_vec1().unwrap()
    }

    #[test]
    fn only_the_token_picked_stays_possible_and_biases_count() {
        let chooser = chooser();
        let never = f32::NEG_INFINITY;
        assert_eq!(apply(&chooser, [3.0, 0.0, 1.0], 4), [never, 0.0, never]);
        assert_eq!(apply(&chooser, [9.0, 0.0, 1.0], 5), [0.0, never, never]);
        assert_eq!((chooser.count(), chooser.last()), (2, Some(0)));
    }

    #[test]
    fn a_refused_pick_is_replaced() {
        let chooser = chooser();
        // The prompt's length is not the place: the prefix cache had part of it.
        apply(&chooser, [9.0, 0.0, 1.0], 2);
        apply(&chooser, [9.0, 0.0, 1.0], 40);
        apply(&chooser, [f32::NEG_INFINITY, f32::NEG_INFINITY, 1.0], 40);
        assert_eq!((chooser.count(), chooser.last()), (2, Some(2)));
    }
}
