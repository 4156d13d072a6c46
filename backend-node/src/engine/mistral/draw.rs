//! Drawing a token from logits.
//!
//! Filters in the order of most servers: top-k, then top-p, then min-p, all on the distribution at the request's
//! temperature. Only as many tokens are sorted as the filters need: sorting a vocabulary of 50 000 takes 2 ms, and a
//! small model makes a token in 15.

/// How to draw.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sampling {
    /// 0 takes the likeliest.
    pub(super) temperature: f64,
    pub(super) top_k: Option<usize>,
    pub(super) top_p: f64,
    pub(super) min_p: f64,
    pub(super) seed: u64,
}

/// Tokens sorted at first; four times as many each time that they do not make up `top_p`.
const FIRST_SORTED: usize = 256;

/// A token for this place of the answer. The same logits, settings and place give the same token.
pub(super) fn draw(logits: &[f32], sampling: &Sampling, place: usize) -> u32 {
    if sampling.temperature < 1e-7 {
        return argmax(logits);
    }
    let mut weighted = weigh(logits, sampling.temperature);
    let total: f64 = weighted.iter().map(|&(_, weight)| weight).sum();
    if total <= 0.0 || !total.is_finite() {
        return argmax(logits);
    }
    let kept = if sampling.top_k.is_none() && sampling.top_p >= 1.0 && sampling.min_p <= 0.0 {
        &weighted[..]
    } else {
        let kept = filter(&mut weighted, total, sampling);
        &weighted[..kept]
    };
    pick(kept, uniform(sampling.seed, place))
}

/// Natural log probabilities of a token and of the likeliest `top`, at temperature 1.
pub(super) fn likelihood(logits: &[f32], token: u32, top: usize) -> (f32, Vec<(u32, f32)>) {
    let mut weighted = weigh(logits, 1.0);
    let log_total = weighted.iter().map(|&(_, weight)| weight).sum::<f64>().ln();
    let highest = f64::from(highest(logits));
    let log_probability = |token: u32| {
        let logit = usize::try_from(token).ok().and_then(|token| logits.get(token)).copied();
        // A log probability needs no more digits than an f32 has.
        #[allow(clippy::cast_possible_truncation)]
        let value = (f64::from(logit.unwrap_or(f32::NEG_INFINITY)) - highest - log_total) as f32;
        // JSON has no infinity; OpenAI shows the impossible as -9999.
        value.max(-9999.0)
    };
    let top = top.min(weighted.len());
    sort_first(&mut weighted, top);
    let top = weighted[..top].iter().map(|&(token, _)| (token, log_probability(token))).collect();
    (log_probability(token), top)
}

fn argmax(logits: &[f32]) -> u32 {
    let mut best = (0, f32::NEG_INFINITY);
    for (place, &logit) in logits.iter().enumerate() {
        if logit > best.1 {
            best = (place, logit);
        }
    }
    u32::try_from(best.0).unwrap_or_default()
}

fn highest(logits: &[f32]) -> f32 {
    logits.iter().copied().filter(|logit| !logit.is_nan()).fold(f32::NEG_INFINITY, f32::max)
}

/// Each token with its probability, not yet divided by their sum.
fn weigh(logits: &[f32], temperature: f64) -> Vec<(u32, f64)> {
    let highest = f64::from(highest(logits));
    let weight = |logit: f32| {
        let weight = ((f64::from(logit) - highest) / temperature).exp();
        if weight.is_nan() { 0.0 } else { weight }
    };
    (0_u32..).zip(logits).map(|(token, &logit)| (token, weight(logit))).collect()
}

/// Moves the tokens that pass the filters to the front; how many there are.
fn filter(weighted: &mut [(u32, f64)], total: f64, sampling: &Sampling) -> usize {
    let most = sampling.top_k.unwrap_or(weighted.len()).clamp(1, weighted.len());
    let mut sorted = FIRST_SORTED.min(most);
    loop {
        sort_first(weighted, sorted);
        let total = if sampling.top_k.is_some() && sorted == most { sum(&weighted[..most]) } else { total };
        let needed = if sampling.top_p < 1.0 { within(&weighted[..sorted], sampling.top_p * total) } else { None };
        let least = sampling.min_p * weighted[0].1;
        let likely = weighted[..sorted].iter().take_while(|&&(_, weight)| weight >= least).count();
        match needed {
            Some(needed) if sampling.top_k.is_none() || sorted == most => return needed.min(likely).max(1),
            _ if sorted == most => return likely.max(1),
            _ if likely < sorted && sampling.top_p >= 1.0 => return likely.max(1),
            _ => sorted = sorted.saturating_mul(4).min(most),
        }
    }
}

/// How many of the sorted tokens make up a share. None where all of them do not.
fn within(sorted: &[(u32, f64)], share: f64) -> Option<usize> {
    let mut so_far = 0.0;
    let place = sorted.iter().position(|&(_, weight)| {
        so_far += weight;
        so_far >= share
    })?;
    Some(place + 1)
}

fn sum(weighted: &[(u32, f64)]) -> f64 {
    weighted.iter().map(|&(_, weight)| weight).sum()
}

/// Brings the `count` likeliest to the front, in order; the lower token first among equals.
fn sort_first(weighted: &mut [(u32, f64)], count: usize) {
    let order = |a: &(u32, f64), b: &(u32, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if count == 0 {
        return;
    }
    if count < weighted.len() {
        weighted.select_nth_unstable_by(count - 1, order);
    }
    weighted[..count].sort_unstable_by(order);
}

fn pick(weighted: &[(u32, f64)], at: f64) -> u32 {
    let mut rest = at * sum(weighted);
    for &(token, weight) in weighted {
        rest -= weight;
        if rest < 0.0 {
            return token;
        }
    }
    // Rounding may leave a little over; the last possible token takes it.
    weighted.iter().rev().find(|&&(_, weight)| weight > 0.0).map_or(0, |&(token, _)| token)
}

/// A number of [0, 1) for a seed and a place: splitmix64.
fn uniform(seed: u64, place: usize) -> f64 {
    let place = u64::try_from(place).unwrap_or_default().wrapping_add(1);
    let mut mixed = seed.wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    // 53 bits, which is what an f64 holds exactly.
    #[allow(clippy::cast_precision_loss)]
    let number = (mixed >> 11) as f64;
    number / 9_007_199_254_740_992.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(temperature: f64) -> Sampling {
        Sampling { temperature, top_k: None, top_p: 1.0, min_p: 0.0, seed: 7 }
    }

    /// Logits of the probabilities 0.5, 0.25, 0.15 and 0.1, at the places 2, 0, 3 and 1.
    fn four() -> Vec<f32> {
        [0.25_f32, 0.1, 0.5, 0.15].map(f32::ln).to_vec()
    }

    fn shares(sampling: &Sampling) -> [f64; 4] {
        let mut counts = [0.0; 4];
        for place in 0..20_000 {
            counts[usize::try_from(draw(&four(), sampling, place)).unwrap()] += 1.0 / 20_000.0;
        }
        counts
    }

    fn near(found: [f64; 4], expected: [f64; 4]) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 0.015, "{found} is not {expected}");
        }
    }

    #[test]
    fn tokens_come_as_often_as_their_probability_says() {
        near(shares(&sampling(1.0)), [0.25, 0.1, 0.5, 0.15]);
        // At temperature 0.5 probabilities are squared: 0.0625, 0.01, 0.25, 0.0225 of 0.345.
        near(shares(&sampling(0.5)), [0.181, 0.029, 0.725, 0.065]);
    }

    #[test]
    fn filters_leave_what_they_should() {
        near(shares(&Sampling { top_k: Some(2), ..sampling(1.0) }), [0.333, 0.0, 0.667, 0.0]);
        near(shares(&Sampling { top_p: 0.8, ..sampling(1.0) }), [0.278, 0.0, 0.556, 0.167]);
        near(shares(&Sampling { min_p: 0.4, ..sampling(1.0) }), [0.333, 0.0, 0.667, 0.0]);
        // Of the two that top_k leaves, the first alone makes up 0.6 of the rest.
        near(shares(&Sampling { top_k: Some(2), top_p: 0.6, ..sampling(1.0) }), [0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn a_flat_distribution_outgrows_the_first_sort() {
        let flat = vec![0.0; 2000];
        let sampling = Sampling { top_p: 0.5, ..sampling(1.0) };
        let highest = (0..5000).map(|place| draw(&flat, &sampling, place)).max().unwrap();
        assert!((990..1000).contains(&highest), "{highest}");
    }

    #[test]
    fn the_same_seed_draws_the_same_and_another_seed_others() {
        let flat = vec![0.0; 1000];
        let run =
            |seed| (0..20).map(|place| draw(&flat, &Sampling { seed, ..sampling(1.0) }, place)).collect::<Vec<_>>();
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn temperature_zero_takes_the_likeliest_and_nan_is_never_drawn() {
        assert_eq!(draw(&four(), &sampling(0.0), 0), 2);
        let broken = [f32::NAN, 1.0, f32::NEG_INFINITY];
        assert_eq!(draw(&broken, &sampling(0.0), 0), 1);
        assert!((0..100).all(|place| draw(&broken, &sampling(1.0), place) == 1));
    }

    #[test]
    fn log_probabilities_are_natural_and_of_temperature_one() {
        let (chosen, top) = likelihood(&four(), 3, 2);
        assert!((chosen - 0.15_f32.ln()).abs() < 1e-5);
        assert_eq!(top.iter().map(|&(token, _)| token).collect::<Vec<_>>(), [2, 0]);
        assert!((top[0].1 - 0.5_f32.ln()).abs() < 1e-5);
        assert!(likelihood(&[0.0, f32::NEG_INFINITY], 1, 0).0 <= -9999.0);
    }
}
