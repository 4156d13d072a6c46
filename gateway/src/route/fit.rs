//! Whether a node can serve a request, and what that is expected to cost.

use peerway_billing::{PerMillion, Price};
use peerway_p2p::{Ask, Candidate, Health, NodeStats, PeerId, PeerTag, Row};

use super::{Cached, Need, Refusal, Requirement, expected_cost, standing};

/// A price that wins over nothing.
const NEVER: PerMillion = PerMillion::new(i64::MAX).expect("the largest number is not negative");

/// A node that could serve, with what it is ordered by, read once: load changes while nodes are compared.
///
/// Small, because several loops go over hundreds of them: those of a large market fit the processor's nearest cache.
#[derive(Debug)]
pub(super) struct Fitting<'a> {
    pub(super) candidate: &'a Candidate,
    /// In millionths of a nano-USD.
    pub(super) cost: i128,
    /// Requests there per slot, in thousandths.
    pub(super) load: u32,
    /// Milliseconds to the first token: measured, or else by its word. None: not known.
    pub(super) first_token_ms: Option<u32>,
    /// Tokens per 1000 s: measured, or else by its word. None: not known.
    pub(super) speed_milli: Option<u32>,
    /// What counts before any price.
    pub(super) group: u32,
    /// Its place in the caller's order; those far behind share the last.
    pub(super) place: u8,
    /// How far it is from what the caller prefers.
    pub(super) distance: u8,
    pub(super) has_room: bool,
    /// Its context holds the whole answer that was asked for; otherwise it may be cut short.
    pub(super) holds_all: bool,
    /// Whether first token and speed were measured often enough to be held against others.
    pub(super) is_measured: (bool, bool),
    /// It gave enough whole answers to be no newcomer.
    pub(super) is_proven: bool,
    /// A request of this gateway is there for this model.
    pub(super) is_visited: bool,
    /// It is expected to know most of the prompt. A small part is no reason to crowd at one node.
    pub(super) knows_prompt: bool,
    /// It is far slower than the others.
    pub(super) is_slow: bool,
    /// It is new and has as much as it gets while others can serve.
    pub(super) is_held_back: bool,
}

const _: () = assert!(size_of::<Fitting<'_>>() == 64, "see there");

/// Nodes for which there is room from the start, where it is not known how many there are.
const FEW: usize = 64;
/// Nodes whose load and record are fetched at a time.
const BLOCK: usize = 64;
/// Has the processor fetch what these are read from.
fn fetch(words: impl Iterator<Item = u32>) {
    std::hint::black_box(words.fold(0, u32::wrapping_add));
}

/// What of that which is needed lists of capabilities lack. Many nodes share one list, and all of them few, so those met
/// last are remembered.
struct Abilities<'a> {
    needed: &'a [Requirement],
    /// By their number, each in a place that follows from it.
    known: [Option<(usize, Option<Requirement>)>; KNOWN],
}

/// Lists of capabilities that are remembered.
const KNOWN: usize = 8;

impl<'a> Abilities<'a> {
    fn needed(needed: &'a [Requirement]) -> Self {
        Self { needed, known: [None; KNOWN] }
    }

    fn missing(&mut self, row: &Row<'_>) -> Option<Requirement> {
        if self.needed.is_empty() {
            return None;
        }
        let list = row.abilities();
        // Lists lie a few words apart at the least.
        let place = &mut self.known[(list >> 4) % KNOWN];
        match place {
            Some((known, missing)) if *known == list => *missing,
            _ => {
                let list_of = &row.candidate().offer().capabilities;
                let has = |needed: &Requirement| list_of.iter().any(|name| **name == *needed.capability);
                let missing = self.needed.iter().find(|needed| !has(needed)).copied();
                *place = Some((list, missing));
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
    /// Load and record of a node lie in two places in memory, and mostly far from the processor. Whoever reads and reckons
    /// in one loop waits for each of them, node after node. So each is first read in a loop that does nothing else, and the
    /// processor fetches those of many nodes at a time.
    pub(super) fn all(
        rows: impl Iterator<Item = Row<'a>>,
        need: &Need<'_>,
        excluded: &[PeerId],
    ) -> (Vec<Self>, Refusal) {
        let (mut refusal, mut filter) = (Refusal::NotOffered, Filter::of(need, excluded));
        let mut fitting = Vec::with_capacity(rows.size_hint().0.max(FEW));
        let mut rows = rows.fuse();
        loop {
            let block: [Option<Row<'a>>; BLOCK] = std::array::from_fn(|_| rows.next());
            fetch(block.iter().flatten().map(|row| row.stats().in_flight()));
            fetch(block.iter().flatten().map(|row| row.health().visits()));
            for row in block.iter().flatten() {
                match filter.pass(row) {
                    Ok(node) => fitting.push(node),
                    Err(reason) => refusal = refusal.max(reason),
                }
            }
            if block[BLOCK - 1].is_none() {
                return (fitting, refusal);
            }
        }
    }

    /// Reads one node. An error says why it cannot serve.
    pub(super) fn read(row: Row<'a>, need: &Need<'_>, excluded: &[PeerId]) -> Result<Self, Refusal> {
        Filter::of(need, excluded).pass(&row)
    }

    /// Looks at how busy it is. False where it takes no requests.
    fn see_load(&mut self, stats: &NodeStats, slots: u32) -> bool {
        let slots = slots.max(1);
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
    fn see_health(&mut self, health: &Health, need: &Need<'_>) -> bool {
        let (first_token, speed) = (health.first_token_ms(need.now_ms), health.speed_milli(need.now_ms));
        let enough = |measured: Option<(u32, u32)>| measured.is_some_and(|(_, samples)| samples >= ENOUGH_SAMPLES);
        self.first_token_ms = first_token.map(|(ms, _)| ms).or(self.first_token_ms);
        self.speed_milli = speed.map(|(milli, _)| milli).or(self.speed_milli);
        self.is_measured = (enough(first_token), enough(speed));
        (self.is_proven, self.is_visited) = (health.answers_served() >= standing::PROVEN, health.visits() > 0);
        self.distance = need.wishes.distance(self.first_token_ms, self.speed_milli);
        health.admits(need.now_ms)
    }
}

/// Whether nodes can serve.
struct Filter<'a> {
    need: &'a Need<'a>,
    excluded: &'a [PeerId],
    knowing: Option<(Cached, PeerTag)>,
    abilities: Abilities<'a>,
}

impl<'a> Filter<'a> {
    fn of(need: &'a Need<'_>, excluded: &'a [PeerId]) -> Self {
        let knowing = need.cached.map(|cached| (cached, PeerTag::of(&cached.node)));
        Self { need, excluded, knowing, abilities: Abilities::needed(need.requirements) }
    }

    fn pass<'n>(&mut self, row: &Row<'n>) -> Result<Fitting<'n>, Refusal> {
        let need = self.need;
        if let Some(missing) = self.abilities.missing(row) {
            return Err(Refusal::Incapable(missing));
        }
        let price = price_of(row.ask());
        let place = need.wishes.place(row.candidate(), &price, need.fee).map_err(Refusal::Unwanted)?;
        if need.price_cap.is_some_and(|cap| !price.within(&cap)) {
            return Err(Refusal::TooDear);
        }
        let context = u64::from(row.context_length());
        if need.prompt >= context {
            return Err(Refusal::ContextTooShort);
        }
        if !self.excluded.is_empty() && self.excluded.contains(&row.candidate().peer_id()) {
            return Err(Refusal::NoneHealthy);
        }
        let mut node = Fitting {
            candidate: row.candidate(),
            cost: expected_cost(&price, need.paid_prompt, 0, need.likely_completion),
            load: 0,
            first_token_ms: None,
            speed_milli: None,
            group: 0,
            place: u8::try_from(place).unwrap_or(u8::MAX),
            distance: 0,
            has_room: false,
            holds_all: need.prompt.saturating_add(need.completion) <= context,
            is_measured: (false, false),
            is_proven: false,
            is_visited: false,
            knows_prompt: false,
            is_slow: false,
            is_held_back: false,
        };
        if !node.see_load(row.stats(), row.slots()) || !node.see_health(row.health(), need) {
            return Err(Refusal::NoneHealthy);
        }
        if let Some(cached) = self.knowing.filter(|(_, tag)| row.may_be(*tag)).map(|(cached, _)| cached)
            && cached.node == row.candidate().peer_id()
        {
            let expected = cached.tokens.saturating_mul(u64::from(row.health().cache_share_milli())) / 1000;
            node.cost = expected_cost(&price, need.paid_prompt, expected, need.likely_completion);
            // Also of one that does not say so in its bill: it answers sooner.
            node.knows_prompt = cached.tokens > 0 && cached.tokens.saturating_mul(2) >= need.paid_prompt;
        }
        Ok(node)
    }
}

/// A candidate's ask. The directory takes no negative price; one that came through all the same is left out by its cost.
/// Cached tokens never cost more than others, or a node would gain by claiming a cache that it does not have.
#[must_use]
pub fn asking_price(candidate: &Candidate) -> Price {
    price_of(&candidate.offer().ask)
}

fn price_of(ask: &Ask) -> Price {
    let price = |nano_usd| PerMillion::new(nano_usd).unwrap_or(NEVER);
    let input = price(ask.input);
    Price { input, cached_input: price(ask.cached_input).min(input), output: price(ask.output) }
}
