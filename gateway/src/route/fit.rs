//! Whether a node can serve a request, and what that is expected to cost.

use peerway_billing::{PerMillion, Price};
use peerway_p2p::{Candidate, PeerId};

use super::{Need, Refusal, Requirement, expected_cost};

/// A price that wins over nothing.
const NEVER: PerMillion = PerMillion::new(i64::MAX).expect("the largest number is not negative");

/// A node that could serve, with what it is ordered by, read once: load changes while nodes are compared.
#[derive(Debug)]
pub(super) struct Fitting<'a> {
    pub(super) candidate: &'a Candidate,
    /// In millionths of a nano-USD.
    pub(super) cost: i128,
    pub(super) has_room: bool,
    /// Its context holds the whole answer that was asked for; otherwise it may be cut short.
    pub(super) holds_all: bool,
    /// Its place in the caller's order.
    pub(super) place: u32,
    /// How far it is from what the caller prefers.
    pub(super) distance: u32,
    /// Requests there per slot, in thousandths.
    pub(super) load: u32,
    /// Milliseconds to the first token: measured, or else by its word. None: not known.
    pub(super) first_token_ms: Option<u32>,
    /// Tokens per 1000 s: measured, or else by its word. None: not known.
    pub(super) speed_milli: Option<u32>,
    /// Whether first token and speed were measured often enough to be held against others.
    pub(super) is_measured: (bool, bool),
    /// Whole answers that it gave.
    pub(super) served: u32,
    /// Requests of this gateway there for this model.
    pub(super) visits: u32,
    /// It is expected to know most of the prompt. A small part is no reason to crowd at one node.
    pub(super) knows_prompt: bool,
    /// What counts before any price.
    pub(super) group: u32,
    /// It is far slower than the others.
    pub(super) is_slow: bool,
    /// It is new and has as much as it gets while others can serve.
    pub(super) is_held_back: bool,
}

/// Answers that must have been measured before a node is called slow.
const ENOUGH_SAMPLES: u32 = 5;

impl<'a> Fitting<'a> {
    /// Reads a node. An error says why it cannot serve.
    pub(super) fn read(candidate: &'a Candidate, need: &Need<'_>, excluded: &[PeerId]) -> Result<Self, Refusal> {
        let offer = candidate.offer();
        let has = |needed: &&Requirement| offer.capabilities.iter().any(|name| **name == *needed.capability);
        if let Some(missing) = need.requirements.iter().find(|needed| !has(needed)) {
            return Err(Refusal::Incapable(*missing));
        }
        let price = asking_price(candidate);
        let place = need.wishes.place(candidate, &price, need.fee).map_err(Refusal::Unwanted)?;
        if need.price_cap.is_some_and(|cap| !price.within(&cap)) {
            return Err(Refusal::TooDear);
        }
        let context = u64::from(offer.context_length);
        if need.prompt + 1 > context {
            return Err(Refusal::ContextTooShort);
        }
        let is_excluded = !excluded.is_empty() && excluded.contains(&candidate.peer_id());
        if is_excluded || !candidate.is_healthy(need.now_ms) {
            return Err(Refusal::NoneHealthy);
        }
        let (stats, health) = (candidate.stats(), candidate.health());
        let cached = need.cached.filter(|cached| cached.node == candidate.peer_id());
        let expected =
            cached.map_or(0, |cached| cached.tokens.saturating_mul(u64::from(health.cache_share_milli())) / 1000);
        let (slots, busy) = (candidate.slots().max(1), stats.occupied());
        let (first_token, speed) = (health.first_token_ms(need.now_ms), health.speed_milli(need.now_ms));
        let told = stats.load();
        let word = |value: u64| u32::try_from(value).ok().filter(|value| *value > 0);
        let first_token_ms = first_token.map(|(ms, _)| ms).or_else(|| word(u64::from(told.ttft_ms)));
        let speed_milli = speed.map(|(milli, _)| milli).or_else(|| word(told.tokens_per_second_milli));
        let enough = |measured: Option<(u32, u32)>| measured.is_some_and(|(_, samples)| samples >= ENOUGH_SAMPLES);
        Ok(Self {
            candidate,
            cost: expected_cost(&price, need.paid_prompt, expected, need.likely_completion),
            has_room: busy < slots,
            holds_all: need.prompt.saturating_add(need.completion) <= context,
            place: u32::try_from(place).unwrap_or(u32::MAX),
            distance: need.wishes.distance(first_token_ms, speed_milli),
            load: u32::try_from(u64::from(busy) * 1000 / u64::from(slots)).unwrap_or(u32::MAX),
            first_token_ms,
            speed_milli,
            is_measured: (enough(first_token), enough(speed)),
            served: health.answers_served(),
            visits: health.visits(),
            knows_prompt: expected > 0 && expected.saturating_mul(2) >= need.paid_prompt,
            group: 0,
            is_slow: false,
            is_held_back: false,
        })
    }
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
