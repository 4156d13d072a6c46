//! The order in which nodes are tried.

use peerway_billing::Price;
use peerway_openapi::routing::ProviderSort;
use peerway_p2p::{Candidate, PeerId};

use super::fit::Fitting;
use super::{Need, Refusal, standing};

/// Nodes tried for one request: the first and at most two more.
pub const MAX_ATTEMPTS: usize = 3;

/// Costs within this share of each other, in percent, are as good as equal: then load and speed decide, so that the
/// cheapest node is not crushed by everybody's requests.
const NEAR_TIE_PERCENT: i128 = 1;

/// A node to try.
#[derive(Debug, Clone)]
pub struct Pick {
    /// The node and its offer.
    pub candidate: Candidate,
    /// What it asks.
    pub price: Price,
}

/// The nodes to try, best first, at most [`MAX_ATTEMPTS`]; those in `excluded` are left out.
///
/// The cheapest for this request comes first. Where several are nearly as cheap, two of them are drawn and the less busy
/// one is first: were it always the least busy, all gateways would run to the same one until it reports that it is full.
/// One that knows the prompt's beginning is not drawn for but taken.
///
/// # Errors
/// `Refusal` where there is none, by the node that came closest.
pub fn rank<'a>(
    candidates: impl IntoIterator<Item = &'a Candidate>,
    need: &Need<'_>,
    excluded: &[PeerId],
) -> Result<Vec<Pick>, Refusal> {
    let candidates = candidates.into_iter();
    let mut refusal = Refusal::NotOffered;
    let mut fitting = Vec::with_capacity(candidates.size_hint().0.max(64));
    for candidate in candidates {
        match Fitting::read(candidate, need, excluded) {
            Ok(node) => fitting.push(node),
            Err(reason) => refusal = refusal.max(reason),
        }
    }
    if fitting.is_empty() {
        return Err(refusal);
    }
    let ordering = Ordering::of(&mut fitting, need);
    let attempts = if need.wishes.is_single_try() { 1 } else { MAX_ATTEMPTS };
    let first = ordering.best(&fitting, need, attempts);
    Ok(first.into_iter().map(|node| Pick { candidate: node.candidate.clone(), price: node.price }).collect())
}

/// By what nodes are compared: one total order. Comparing pairs for near-equality instead would not be transitive.
pub(super) struct Ordering {
    sort: Option<ProviderSort>,
    /// The group of the best node.
    group: u32,
    /// Costs up to this are as good as the lowest of that group.
    band: i128,
}

/// The less, the better.
pub(super) type Key = (u32, bool, i128, i128);

impl Ordering {
    /// Looks at all nodes, and marks how they stand to each other.
    pub(super) fn of(fitting: &mut [Fitting<'_>], need: &Need<'_>) -> Self {
        let sort = need.wishes.sort;
        if sort.is_none() {
            standing::mark(fitting, need, &mut Vec::with_capacity(fitting.len()));
        }
        let (mut group, mut lowest) = (u32::MAX, i128::MAX);
        for node in fitting.iter() {
            let own = group_of(node);
            if (own, node.cost) < (group, lowest) {
                (group, lowest) = (own, node.cost);
            }
        }
        Self { sort, group, band: lowest.saturating_add(lowest / 100 * NEAR_TIE_PERCENT) }
    }

    pub(super) fn key(&self, node: &Fitting<'_>) -> Key {
        let group = group_of(node);
        let (load, first_token) = (i128::from(node.load), i128::from(node.first_token_ms.unwrap_or(0)));
        match self.sort {
            Some(ProviderSort::Price) => (group, false, node.cost, load),
            Some(ProviderSort::Throughput) => (group, false, -i128::from(node.speed_milli.unwrap_or(0)), node.cost),
            Some(ProviderSort::Latency) => {
                (group, false, i128::from(node.first_token_ms.unwrap_or(u32::MAX)), node.cost)
            }
            // Who has no room queues, so the least busy comes first.
            None if !node.has_room => (group, false, load, node.cost),
            None if self.is_in_band(node) => (group, false, load, first_token),
            None => (group, true, node.cost, load),
        }
    }

    fn is_in_band(&self, node: &Fitting<'_>) -> bool {
        self.sort.is_none() && node.has_room && node.cost <= self.band && group_of(node) == self.group
    }

    /// The best, at most so many.
    fn best<'f, 'a>(&self, fitting: &'f [Fitting<'a>], need: &Need<'_>, attempts: usize) -> Vec<&'f Fitting<'a>> {
        let mut best: Vec<&Fitting<'_>> = self.drawn(fitting, need.seed).into_iter().flatten().take(attempts).collect();
        while best.len() < attempts.min(fitting.len()) {
            let others = fitting.iter().filter(|node| !best.iter().any(|known| std::ptr::eq(*known, *node)));
            let Some(next) = others.min_by_key(|node| self.key(node)) else { break };
            best.push(next);
        }
        best
    }

    /// Of the nodes that are as good as the cheapest: the one that knows the prompt, or two that were drawn, the less busy
    /// one first.
    fn drawn<'f, 'a>(&self, fitting: &'f [Fitting<'a>], seed: u64) -> [Option<&'f Fitting<'a>>; 2] {
        let equals = || fitting.iter().filter(|node| self.is_in_band(node));
        if let Some(knowing) = equals().find(|node| node.knows_prompt) {
            return [Some(knowing), None];
        }
        let many = equals().count();
        if many < 2 {
            return [None, None];
        }
        let (one, other) = two_of(many, seed);
        let (one, other) = (equals().nth(one), equals().nth(other));
        if one.map(|node| self.key(node)) <= other.map(|node| self.key(node)) { [one, other] } else { [other, one] }
    }
}

/// Two different places below `many`, which is at least 2.
fn two_of(many: usize, seed: u64) -> (usize, usize) {
    let many = many as u64;
    let (high, low) = (seed >> 32, seed & u64::from(u32::MAX));
    let (first, second) = (low % many, high % (many - 1));
    let second = if second >= first { second + 1 } else { second };
    let place = |number: u64| usize::try_from(number).unwrap_or(0);
    (place(first), place(second))
}

/// What counts before any price: first whether the whole answer fits, then room, then the caller's own order and
/// preferences, then who does well.
fn group_of(node: &Fitting<'_>) -> u32 {
    let place = u32::try_from(node.place).unwrap_or(u32::MAX).min(0xff);
    u32::from(!node.holds_all) << 13
        | u32::from(!node.has_room) << 12
        | place << 4
        | node.distance << 2
        | u32::from(node.is_slow) << 1
        | u32::from(node.is_held_back)
}
