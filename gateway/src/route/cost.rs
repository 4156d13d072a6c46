//! What a request is expected to cost at a node.

use peerway_billing::Price;

/// Generated tokens that are expected of a model that nobody has asked yet: answers are mostly short.
pub const TYPICAL_COMPLETION: u64 = 256;

/// The expected cost in millionths of a nano-USD, without the fee, which is the same share for every node. For comparing
/// nodes: not what is charged.
///
/// `cached` tokens of the prompt are expected in the node's cache. `completion` is what the answer is likely to have, not
/// its limit: most end before it, and a node with dear output would otherwise never win a short question with a high
/// limit, though it may be the cheapest for it.
#[must_use]
pub fn expected_cost(price: &Price, prompt: u64, cached: u64, completion: u64) -> i128 {
    let cached = cached.min(prompt);
    i128::from(price.input.as_i64()) * i128::from(prompt - cached)
        + i128::from(price.cached_input.as_i64()) * i128::from(cached)
        + i128::from(price.output.as_i64()) * i128::from(completion)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_node_is_cheapest_depends_on_the_request() {
        let cheap_prompt = Price::from_usd_strs("0.01", "0.01", "1.00").unwrap();
        let cheap_answer = Price::from_usd_strs("0.10", "0.10", "0.10").unwrap();
        let dearer = |prompt, answer| {
            expected_cost(&cheap_prompt, prompt, 0, answer) > expected_cost(&cheap_answer, prompt, 0, answer)
        };
        assert!(dearer(100, 100));
        assert!(!dearer(10_000, 100));
    }

    #[test]
    fn what_is_cached_is_cheaper_and_never_more_than_the_prompt() {
        let price = Price::from_usd_strs("1", "0.1", "0").unwrap();
        let cost = |cached| expected_cost(&price, 1000, cached, 0) / 1_000_000_000;
        assert_eq!((cost(0), cost(500), cost(1000), cost(5000)), (1000, 550, 100, 100));
    }
}
