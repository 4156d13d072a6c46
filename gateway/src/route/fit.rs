//! Whether a node can serve a request, and what that is expected to cost.

use std::sync::Arc;

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

/// Nodes for which there is room from the start, where it is not known how many there are.
const FEW: usize = 64;
/// Nodes whose offers are fetched at a time.
const BLOCK: usize = 64;

/// Has the processor fetch what these are read from.
fn fetch(words: impl Iterator<Item = u32>) {
    std::hint::black_box(words.fold(0, u32::wrapping_add));
}

/// What of that which is needed a list of capabilities lacks. Many nodes share one list, so the last one is remembered.
#[derive(Default)]
struct Abilities<'a>(Option<(&'a [Arc<str>], Option<Requirement>)>);

impl<'a> Abilities<'a> {
    fn missing(&mut self, candidate: &'a Candidate, need: &Need<'_>) -> Option<Requirement> {
        if need.requirements.is_empty() {
            return None;
        }
        let list = &*candidate.offer().capabilities;
        match self.0 {
            Some((last, missing)) if std::ptr::eq(last, list) => missing,
            _ => {
                let has = |needed: &Requirement| list.iter().any(|name| **name == *needed.capability);
                let missing = need.requirements.iter().find(|needed| !has(needed)).copied();
                self.0 = Some((list, missing));
                missing
            }
        }
    }
}

/// Answers that must have been measured before a node is called slow.
const ENOUGH_SAMPLES: u32 = 5;

impl<'a> Fitting<'a> {
    /// Those of the candidates that can serve, with what they are ordered by, and why the best of the others cannot.
    ///
    /// What is read of a node lies in three places in memory, and mostly far from the processor. Whoever reads and reckons
    /// in one loop waits for each of them, node after node. So each is first read in a loop that does nothing else, and the
    /// processor fetches those of many nodes at a time.
    pub(super) fn all(
        candidates: impl Iterator<Item = &'a Candidate>,
        need: &Need<'_>,
        excluded: &[PeerId],
    ) -> (Vec<Self>, Refusal) {
        let (mut refusal, mut abilities) = (Refusal::NotOffered, Abilities::default());
        let mut fitting = Vec::with_capacity(candidates.size_hint().0.max(FEW));
        let mut candidates = candidates.fuse();
        loop {
            let block: [Option<&Candidate>; BLOCK] = std::array::from_fn(|_| candidates.next());
            fetch(block.iter().flatten().map(|candidate| candidate.slots()));
            for candidate in block.iter().flatten() {
                match Self::offered(candidate, need, excluded, &mut abilities) {
                    Ok(node) => fitting.push(node),
                    Err(reason) => refusal = refusal.max(reason),
                }
            }
            if block[BLOCK - 1].is_none() {
                break;
            }
        }
        fetch(fitting.iter().map(|node| node.candidate.stats().in_flight()));
        fetch(fitting.iter().map(|node| node.candidate.health().visits()));
        let offered = fitting.len();
        fitting.retain_mut(|node| node.see_load() && node.see_health(need));
        if fitting.len() < offered {
            refusal = refusal.max(Refusal::NoneHealthy);
        }
        (fitting, refusal)
    }

    /// Reads one node. An error says why it cannot serve.
    pub(super) fn read(candidate: &'a Candidate, need: &Need<'_>, excluded: &[PeerId]) -> Result<Self, Refusal> {
        let mut node = Self::offered(candidate, need, excluded, &mut Abilities::default())?;
        if node.see_load() && node.see_health(need) { Ok(node) } else { Err(Refusal::NoneHealthy) }
    }

    fn offered(
        candidate: &'a Candidate,
        need: &Need<'_>,
        excluded: &[PeerId],
        abilities: &mut Abilities<'a>,
    ) -> Result<Self, Refusal> {
        let offer = candidate.offer();
        if let Some(missing) = abilities.missing(candidate, need) {
            return Err(Refusal::Incapable(missing));
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
        if !excluded.is_empty() && excluded.contains(&candidate.peer_id()) {
            return Err(Refusal::NoneHealthy);
        }
        Ok(Self {
            candidate,
            cost: expected_cost(&price, need.paid_prompt, 0, need.likely_completion),
            has_room: false,
            holds_all: need.prompt.saturating_add(need.completion) <= context,
            place: u32::try_from(place).unwrap_or(u32::MAX),
            distance: 0,
            load: 0,
            first_token_ms: None,
            speed_milli: None,
            is_measured: (false, false),
            served: 0,
            visits: 0,
            knows_prompt: false,
            group: 0,
            is_slow: false,
            is_held_back: false,
        })
    }

    /// Looks at how busy it is. False where it takes no requests.
    fn see_load(&mut self) -> bool {
        let (stats, slots) = (self.candidate.stats(), self.candidate.slots().max(1));
        let busy = stats.occupied();
        let told = stats.load();
        let word = |value: u64| u32::try_from(value).ok().filter(|value| *value > 0);
        self.has_room = busy < slots;
        // Most are idle, and a division takes longer than all the rest.
        self.load =
            if busy == 0 { 0 } else { u32::try_from(u64::from(busy) * 1000 / u64::from(slots)).unwrap_or(u32::MAX) };
        self.first_token_ms = word(u64::from(told.ttft_ms));
        self.speed_milli = word(told.tokens_per_second_milli);
        stats.is_open()
    }

    /// Looks at how it does: what was measured counts before its word. False where it rests after failures.
    fn see_health(&mut self, need: &Need<'_>) -> bool {
        let health = self.candidate.health();
        let (first_token, speed) = (health.first_token_ms(need.now_ms), health.speed_milli(need.now_ms));
        let enough = |measured: Option<(u32, u32)>| measured.is_some_and(|(_, samples)| samples >= ENOUGH_SAMPLES);
        self.first_token_ms = first_token.map(|(ms, _)| ms).or(self.first_token_ms);
        self.speed_milli = speed.map(|(milli, _)| milli).or(self.speed_milli);
        self.is_measured = (enough(first_token), enough(speed));
        (self.served, self.visits) = (health.answers_served(), health.visits());
        self.distance = need.wishes.distance(self.first_token_ms, self.speed_milli);
        if let Some(cached) = need.cached.filter(|cached| cached.node == self.candidate.peer_id()) {
            let expected = cached.tokens.saturating_mul(u64::from(health.cache_share_milli())) / 1000;
            let price = asking_price(self.candidate);
            self.cost = expected_cost(&price, need.paid_prompt, expected, need.likely_completion);
            // Also of one that does not say so in its bill: it answers sooner.
            self.knows_prompt = cached.tokens > 0 && cached.tokens.saturating_mul(2) >= need.paid_prompt;
        }
        health.admits(need.now_ms)
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
