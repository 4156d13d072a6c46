//! How nodes stand to each other: who is far slower than the rest, and who is too new to be trusted with much.
//!
//! Neither is put out. A slow node serves where the others are full, and a new one gets a request at a time, or what it
//! likes where nobody has proved better: both can only show how they do by serving.

use super::Need;
use super::fit::Fitting;

/// A node that takes so many times the median, or does the so manieth part of it, is slow.
const FAR: u64 = 3;
/// Milliseconds beyond the median below which nobody is called slow: a multiple of next to nothing is nothing.
const NOTICEABLE_MS: u64 = 250;
/// Nodes that must have been measured before one can be told from the others.
const FEWEST_MEASURED: usize = 4;
/// At most the so manieth part of those measured is called slow.
const MOST_SLOW: usize = 3;
/// Whole answers after which a node is no newcomer.
pub(super) const PROVEN: u32 = 5;
/// A newcomer gets no longer prompts while others can serve.
const NEWCOMERS_PROMPT: u64 = 8192;
/// A proven node that costs up to so many percent of what a newcomer does is an alternative to it.
const COMPARABLE_PERCENT: i128 = 120;

/// Marks who is slow and who is to be held back.
pub(super) fn mark(fitting: &mut [Fitting<'_>], need: &Need<'_>, scratch: &mut Vec<u32>) {
    mark_slow(fitting, scratch);
    hold_back(fitting, need);
}

fn mark_slow(fitting: &mut [Fitting<'_>], scratch: &mut Vec<u32>) {
    let latency = |node: &Fitting<'_>| node.first_token_ms.filter(|_| node.is_measured.0);
    let speed = |node: &Fitting<'_>| node.speed_milli.filter(|_| node.is_measured.1);
    let mut slow = 0;
    if let Some(median) = median(fitting.iter().filter_map(latency), scratch) {
        let others = scratch.len() - scratch.len() / MOST_SLOW;
        let bound = (median * FAR).max(median + NOTICEABLE_MS).max(quantile(scratch, others - 1));
        for node in fitting.iter_mut().filter(|node| latency(node).is_some_and(|ms| u64::from(ms) > bound)) {
            node.is_slow = true;
            slow += 1;
        }
    }
    if let Some(median) = median(fitting.iter().filter_map(speed), scratch) {
        let left = (scratch.len() / MOST_SLOW).saturating_sub(slow);
        let bound = (median / FAR).min(quantile(scratch, left));
        for node in fitting.iter_mut().filter(|node| speed(node).is_some_and(|milli| u64::from(milli) < bound)) {
            node.is_slow = true;
        }
    }
}

/// None where too few were measured. Leaves the values in `scratch`.
fn median(values: impl Iterator<Item = u32>, scratch: &mut Vec<u32>) -> Option<u64> {
    scratch.clear();
    scratch.extend(values);
    let middle = scratch.len() / 2;
    (scratch.len() >= FEWEST_MEASURED).then(|| quantile(scratch, middle))
}

/// The value that so many are below or equal to.
fn quantile(values: &mut [u32], place: usize) -> u64 {
    u64::from(*values.select_nth_unstable(place).1)
}

fn hold_back(fitting: &mut [Fitting<'_>], need: &Need<'_>) {
    let proven = fitting.iter().filter(|node| node.is_proven && node.has_room && node.holds_all && !node.is_slow);
    let Some(cheapest) = proven.map(|node| node.cost).min() else { return };
    for node in fitting.iter_mut().filter(|node| !node.is_proven) {
        let has_enough = node.is_visited || need.prompt > NEWCOMERS_PROMPT;
        node.is_held_back = has_enough && cheapest <= node.cost.saturating_mul(COMPARABLE_PERCENT) / 100;
    }
}
