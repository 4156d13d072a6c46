//! Filter, then order.

use peerway_billing::{PerMillion, Price};
use peerway_p2p::{Candidate, PeerId};

use super::expected_cost;

/// Nodes tried for one request: the first and at most two more.
pub const MAX_ATTEMPTS: usize = 3;

/// Costs within this share of each other, in percent, are as good as equal: then load and speed decide, so that the
/// cheapest node is not crushed by everybody's requests.
const NEAR_TIE_PERCENT: i128 = 1;

/// A price that wins over nothing.
const NEVER: PerMillion = PerMillion::new(i64::MAX).expect("the largest number is not negative");

/// Something that a node must be able to do, beyond what every node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requirement {
    /// Its name in adverts.
    pub capability: &'static str,
    /// The field of the request that asks for it.
    pub field: &'static str,
}

/// What a request needs of a node.
#[derive(Debug, Clone, Copy)]
pub struct Need<'a> {
    /// Prompt tokens.
    pub prompt: u64,
    /// The most generated tokens.
    pub completion: u64,
    /// What it must be able to do.
    pub requirements: &'a [Requirement],
    /// No node may ask more. None: any price.
    pub price_cap: Option<Price>,
    /// Milliseconds on the clock that candidates' failures are stamped with.
    pub now_ms: u64,
}

/// A node to try.
#[derive(Debug, Clone)]
pub struct Pick {
    /// The node and its offer.
    pub candidate: Candidate,
    /// What it asks.
    pub price: Price,
}

/// Why no node was picked. In this order: of several nodes the one that came closest gives the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// None offers the model.
    NotOffered,
    /// None that offers it can do this.
    Incapable(Requirement),
    /// All that could serve it ask more than the catalog's cap.
    TooDear,
    /// All that could serve it have a context that is too short.
    ContextTooShort,
    /// All that could serve it have failed lately or are draining.
    NoneHealthy,
}

/// The nodes to try, best first, at most [`MAX_ATTEMPTS`]; those in `excluded` are left out.
///
/// Two passes and one total order: first the lowest cost at which a node with room would serve, then every node by its
/// rank relative to that. Comparing pairs for near-equality instead would not be transitive.
///
/// # Errors
/// `Refusal` where there is none, by the node that came closest.
pub fn rank(candidates: &[Candidate], need: &Need<'_>, excluded: &[PeerId]) -> Result<Vec<Pick>, Refusal> {
    let mut refusal = Refusal::NotOffered;
    let mut fitting = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        match fit(candidate, need, excluded) {
            Ok(price) => fitting.push(Fitting::of(candidate, price, need)),
            Err(reason) => refusal = refusal.max(reason),
        }
    }
    if fitting.is_empty() {
        return Err(refusal);
    }
    let lowest = fitting.iter().filter(|node| node.has_room).map(|node| node.cost).min().unwrap_or(0);
    let band = lowest.saturating_add(lowest / 100 * NEAR_TIE_PERCENT);
    fitting.sort_by_key(|node| node.rank(band));
    fitting.truncate(MAX_ATTEMPTS);
    Ok(fitting.into_iter().map(|node| Pick { candidate: node.candidate.clone(), price: node.price }).collect())
}

fn fit(candidate: &Candidate, need: &Need<'_>, excluded: &[PeerId]) -> Result<Price, Refusal> {
    let has = |needed: &&Requirement| candidate.offer().capabilities.iter().any(|name| name == needed.capability);
    if let Some(missing) = need.requirements.iter().find(|needed| !has(needed)) {
        return Err(Refusal::Incapable(*missing));
    }
    let price = asking_price(candidate);
    if need.price_cap.is_some_and(|cap| !price.within(&cap)) {
        return Err(Refusal::TooDear);
    }
    if need.prompt + 1 > u64::from(candidate.offer().context_length) {
        return Err(Refusal::ContextTooShort);
    }
    if excluded.contains(&candidate.peer_id()) || !candidate.stats().is_healthy(need.now_ms) {
        return Err(Refusal::NoneHealthy);
    }
    Ok(price)
}

/// A candidate's ask. The directory takes no negative price; one that came through all the same is left out by its cost.
/// Cached tokens never cost more than others, or a node would gain by claiming a cache that it does not have.
#[must_use]
pub fn asking_price(candidate: &Candidate) -> Price {
    let ask = candidate.offer().ask;
    let price = |nano_usd| PerMillion::new(nano_usd).unwrap_or(NEVER);
    let input = price(ask.input);
    Price { input, cached_input: price(ask.cached_input).min(input), output: price(ask.output) }
}

/// A node that could serve, with what it is ordered by, read once: load changes while nodes are compared.
#[derive(Debug)]
struct Fitting<'a> {
    candidate: &'a Candidate,
    price: Price,
    cost: i128,
    has_room: bool,
    /// Its context holds the whole answer that was asked for; otherwise it may be cut short.
    holds_all: bool,
    /// Requests there per slot, in thousandths.
    load: i128,
    first_token_ms: i128,
}

impl<'a> Fitting<'a> {
    fn of(candidate: &'a Candidate, price: Price, need: &Need<'_>) -> Self {
        let stats = candidate.stats();
        let slots = i128::from(candidate.slots().max(1));
        let busy = i128::from(stats.occupied());
        Self {
            candidate,
            price,
            cost: expected_cost(&price, need.prompt, need.completion),
            has_room: busy < slots,
            holds_all: need.prompt.saturating_add(need.completion) <= u64::from(candidate.offer().context_length),
            load: busy * 1000 / slots,
            first_token_ms: i128::from(stats.ttft_ms()),
        }
    }

    /// Nodes whose context holds the whole answer come before all others. Of them, those with room come first: the cheapest and those nearly as cheap by load and speed, then the others by cost.
    /// Nodes without room queue, so the least loaded of them comes first.
    fn rank(&self, band: i128) -> (bool, u8, i128, i128) {
        let (class, first, second) = match (self.has_room, self.cost <= band) {
            (true, true) => (0, self.load, self.first_token_ms),
            (true, false) => (1, self.cost, self.load),
            (false, _) => (2, self.load, self.cost),
        };
        (!self.holds_all, class, first, second)
    }
}
