//! The order in which nodes are tried.

use peerway_billing::Price;
use peerway_openapi::routing::ProviderSort;
use peerway_p2p::{Candidate, PeerId, Row};

use super::fit::Fitting;
use super::{Need, Refusal, asking_price, standing};

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
pub fn rank<'a, C: Into<Row<'a>>>(
    candidates: impl IntoIterator<Item = C>,
    need: &Need<'_>,
    excluded: &[PeerId],
) -> Result<Vec<Pick>, Refusal> {
    let (mut fitting, refusal) = Fitting::all(candidates.into_iter().map(Into::into), need, excluded);
    if fitting.is_empty() {
        return Err(refusal);
    }
    let mut places = Vec::with_capacity(fitting.len());
    let ordering = Ordering::of(&mut fitting, need, &mut places);
    let attempts = if need.wishes.is_single_try() { 1 } else { MAX_ATTEMPTS };
    let best = ordering.best(&fitting, need, &mut places).into_iter().flatten().take(attempts);
    let pick = |node: &Fitting<'_>| Pick { candidate: node.candidate.clone(), price: asking_price(node.candidate) };
    Ok(best.map(|place| pick(&fitting[place])).collect())
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
    /// Looks at all nodes, and marks how they stand to each other. What is in `scratch` does not matter.
    pub(super) fn of(fitting: &mut [Fitting<'_>], need: &Need<'_>, scratch: &mut Vec<u32>) -> Self {
        let sort = need.wishes.sort;
        if sort.is_none() {
            standing::mark(fitting, need, scratch);
        }
        let (mut group, mut lowest) = (u32::MAX, i128::MAX);
        for node in fitting {
            node.group = group_of(node);
            if (node.group, node.cost) < (group, lowest) {
                (group, lowest) = (node.group, node.cost);
            }
        }
        Self { sort, group, band: lowest.saturating_add(lowest / 100 * NEAR_TIE_PERCENT) }
    }

    pub(super) fn key(&self, node: &Fitting<'_>) -> Key {
        let (load, first_token) = (i128::from(node.load), i128::from(node.first_token_ms.unwrap_or(0)));
        let (is_apart, first, second) = match self.sort {
            Some(ProviderSort::Price) => (false, node.cost, load),
            Some(ProviderSort::Throughput) => (false, -i128::from(node.speed_milli.unwrap_or(0)), node.cost),
            Some(ProviderSort::Latency) => (false, i128::from(node.first_token_ms.unwrap_or(u32::MAX)), node.cost),
            // Who has no room queues, so the least busy comes first.
            None if !node.has_room => (false, load, node.cost),
            None if self.is_in_band(node) => (false, load, first_token),
            None => (true, node.cost, load),
        };
        (node.group, is_apart, first, second)
    }

    fn is_in_band(&self, node: &Fitting<'_>) -> bool {
        self.sort.is_none() && node.has_room && node.group == self.group && node.cost <= self.band
    }

    /// The places of the best. `equals` is filled with the places of those that are as good as the cheapest.
    fn best(&self, fitting: &[Fitting<'_>], need: &Need<'_>, equals: &mut Vec<u32>) -> [Option<usize>; MAX_ATTEMPTS] {
        equals.clear();
        let mut knowing = None;
        let mut top: [Option<(Key, usize)>; MAX_ATTEMPTS] = [None; MAX_ATTEMPTS];
        for (place, node) in fitting.iter().enumerate() {
            if self.is_in_band(node) {
                equals.push(u32::try_from(place).unwrap_or(u32::MAX));
                knowing = knowing.or(node.knows_prompt.then_some(place));
            }
            insert(&mut top, (self.key(node), place));
        }
        let drawn = match knowing {
            Some(place) => [Some(place), None],
            None => self.drawn(fitting, equals, need.seed),
        };
        let others = top.into_iter().flatten().map(|(_, place)| place).filter(|place| !drawn.contains(&Some(*place)));
        let mut best = drawn.into_iter().flatten().chain(others);
        std::array::from_fn(|_| best.next())
    }

    /// Two of those that are as good as the cheapest, the less busy one first.
    fn drawn(&self, fitting: &[Fitting<'_>], equals: &[u32], seed: u64) -> [Option<usize>; 2] {
        if equals.len() < 2 {
            return [None, None];
        }
        let (one, other) = two_of(equals.len(), seed);
        let place = |drawn: usize| usize::try_from(equals[drawn]).unwrap_or(usize::MAX);
        let (one, other) = (place(one), place(other));
        let is_first = self.key(&fitting[one]) <= self.key(&fitting[other]);
        if is_first { [Some(one), Some(other)] } else { [Some(other), Some(one)] }
    }
}

/// Puts a node among the best so far, if it is one of them.
fn insert(top: &mut [Option<(Key, usize)>; MAX_ATTEMPTS], mut node: (Key, usize)) {
    // Nearly all are behind the last of them.
    if top[MAX_ATTEMPTS - 1].is_some_and(|last| last <= node) {
        return;
    }
    for place in top {
        match place {
            Some(better) if *better <= node => {}
            Some(worse) => std::mem::swap(worse, &mut node),
            None => {
                *place = Some(node);
                return;
            }
        }
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
    u32::from(!node.holds_all) << 13
        | u32::from(!node.has_room) << 12
        | u32::from(node.place) << 4
        | u32::from(node.distance) << 2
        | u32::from(node.is_slow) << 1
        | u32::from(node.is_held_back)
}
