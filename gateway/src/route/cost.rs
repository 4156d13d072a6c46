//! What a request is expected to cost at a node.

use peerway_billing::Price;

/// Generated tokens that are expected where the caller set no limit, or a high one: answers are mostly short.
pub const TYPICAL_COMPLETION: u64 = 256;

/// The expected cost in millionths of a nano-USD, for comparing nodes: not what is charged.
///
/// Most answers end before their limit, so the limit counts only as far as an answer is likely to go; otherwise a node
/// with dear output would never win a short question with a high limit, though it may be the cheapest for it.
#[must_use]
pub fn expected_cost(price: &Price, prompt: u64, completion_limit: u64) -> i128 {
    let completion = completion_limit.min(TYPICAL_COMPLETION);
    i128::from(price.input.as_i64()) * i128::from(prompt) + i128::from(price.output.as_i64()) * i128::from(completion)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_node_is_cheapest_depends_on_the_request() {
        let cheap_prompt = Price::from_usd_strs("0.01", "0.01", "1.00").unwrap();
        let cheap_answer = Price::from_usd_strs("0.10", "0.10", "0.10").unwrap();
        let dearer =
            |prompt, limit| expected_cost(&cheap_prompt, prompt, limit) > expected_cost(&cheap_answer, prompt, limit);
        assert!(dearer(100, 100));
        assert!(!dearer(10_000, 100));
        assert!(!dearer(10_000, 100_000));
    }
}
