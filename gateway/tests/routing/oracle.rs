//! The choice against one made without any haste: every node is read one by one, and all are sorted.
//!
//! Prices, loads and measures are of a few values each, so that equals, near-equals and all that sets nodes apart meet.

use std::collections::BTreeSet;
use std::time::Duration;

use peerway::route::{
    Cached, MAX_ATTEMPTS, Need, Pick, Refusal, Requirement, Wishes, asking_price, expected_cost, rank,
};
use peerway_openapi::routing::ProviderPreferences;
use peerway_p2p::{Ask, Candidate, Directory, Load, ModelOffer, Offer, PeerId, Registration, Visit};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::{MODEL, model};

const NOW_MS: u64 = 1;
const TOOLS: [Requirement; 1] = [Requirement { capability: "tools", field: "tools" }];

/// A node in the state that it is in.
#[derive(Debug, Clone)]
struct Made {
    ask: (i64, i64, i64),
    context_length: u32,
    has_tools: bool,
    slots: u32,
    in_flight: usize,
    visits: usize,
    /// Milliseconds and tokens per second, by its word.
    word: (u32, u64),
    /// How often it was measured, with what.
    measured: (usize, u64, u64),
    served: usize,
    has_failed: bool,
}

fn made() -> impl Strategy<Value = Made> {
    let price = || select(vec![0_i64, 9_900, 10_000, 10_050, 10_150, 11_000, 14_000]);
    let offer = ((price(), price(), price()), select(vec![100_u32, 150, 9500]), any::<bool>(), 1_u32..3);
    let work = (0_usize..3, 0_usize..2, (select(vec![0_u32, 90, 400]), select(vec![0_u64, 20, 60])));
    let measured =
        (select(vec![0_usize, 2, 6]), select(vec![50_u64, 300, 310, 900, 5000]), select(vec![5_u64, 30, 60]));
    (offer, work, measured, select(vec![0_usize, 4, 5]), prop::bool::weighted(0.1)).prop_map(
        |((ask, context_length, has_tools, slots), (in_flight, visits, word), measured, served, has_failed)| Made {
            ask,
            context_length,
            has_tools,
            slots,
            in_flight,
            visits,
            word,
            measured,
            served,
            has_failed,
        },
    )
}

impl Made {
    fn offer(&self, place: usize) -> Offer {
        let (input, cached_input, output) = self.ask;
        let capabilities = self.has_tools.then(|| "tools".to_owned()).into_iter().collect();
        let ask = Ask { input, cached_input, output };
        let listed = ModelOffer { ask, context_length: self.context_length, capabilities, ..model() };
        let (operator, region) =
            (Some(["ann", "bob", "cid"][place % 3].to_owned()), ["eu", "us"][place % 2].to_owned());
        Offer { operator, region, slots: self.slots, engine: "test".to_owned(), models: vec![listed] }
    }

    /// Has a node as it is meant to be.
    fn treat(&self, node: &Candidate) -> Vec<Visit> {
        let (ttft_ms, speed) = self.word;
        node.stats().report(&Load { ttft_ms, tokens_per_second_milli: speed * 1000, ..Load::default() });
        let (times, first_token_ms, speed) = self.measured;
        for _ in 0..times {
            node.health().began(Duration::from_millis(first_token_ms));
            node.health().measured_speed(speed * 1000);
        }
        (0..self.served).for_each(|_| node.health().served());
        (0..self.in_flight).for_each(|_| node.stats().begin());
        let visits = (0..self.visits).filter_map(|_| node.visit()).collect();
        if self.has_failed {
            node.health().failed();
        }
        visits
    }
}

/// A node as the slow choice sees it.
#[derive(Debug)]
struct Seen {
    place: usize,
    cost: i128,
    load: i128,
    has_room: bool,
    first_token_ms: Option<u32>,
    speed_milli: Option<u32>,
    knows_prompt: bool,
    /// Short of context, full, the caller's order, far from what is preferred, slow, held back.
    group: (bool, bool, usize, u32, bool, bool),
}

/// What a caller wishes, as the slow choice reads it.
#[derive(Debug, Clone)]
struct Asked {
    order: Vec<&'static str>,
    ignore: Vec<&'static str>,
    sort: Option<&'static str>,
    most_latency: Option<f64>,
    no_fallbacks: bool,
}

impl Asked {
    fn json(&self) -> Value {
        json!({"order": self.order, "ignore": self.ignore, "sort": self.sort, "preferred_max_latency": self.most_latency,
               "allow_fallbacks": !self.no_fallbacks})
    }

    fn place(&self, node: &Candidate) -> usize {
        let is = |name: &&str| node.operator() == Some(*name) || node.region() == *name;
        self.order.iter().position(is).unwrap_or(self.order.len())
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let names = || prop::collection::vec(select(vec!["ann", "eu", "us"]), 0..2);
    let sort = select(vec![None, None, None, Some("price"), Some("latency"), Some("throughput")]);
    (names(), names(), sort, select(vec![None, None, Some(0.3)]), prop::bool::weighted(0.1)).prop_map(
        |(order, ignore, sort, most_latency, no_fallbacks)| Asked { order, ignore, sort, most_latency, no_fallbacks },
    )
}

fn refusal(node: &Candidate, need: &Need<'_>, asked: &Asked, excluded: &[PeerId]) -> Option<Refusal> {
    let offer = node.offer();
    let lacking =
        need.requirements.iter().find(|needed| offer.capabilities.iter().all(|has| **has != *needed.capability));
    let is_ignored = asked.ignore.iter().any(|name| node.operator() == Some(*name) || node.region() == *name);
    if let Some(lacking) = lacking {
        Some(Refusal::Incapable(*lacking))
    } else if is_ignored {
        Some(Refusal::Unwanted(peerway::route::Unwanted::Ignored))
    } else if asked.no_fallbacks && !asked.order.is_empty() && asked.place(node) == asked.order.len() {
        Some(Refusal::Unwanted(peerway::route::Unwanted::NotInOrder))
    } else if need.prompt + 1 > u64::from(offer.context_length) {
        Some(Refusal::ContextTooShort)
    } else if excluded.contains(&node.peer_id()) || !node.is_healthy(need.now_ms) {
        Some(Refusal::NoneHealthy)
    } else {
        None
    }
}

/// Everything but who is slow and who is held back, which takes all of them.
fn seen(place: usize, node: &Candidate, need: &Need<'_>, asked: &Asked) -> Seen {
    let (stats, health, slots) = (node.stats(), node.health(), node.slots());
    let word = |value: u32| (value > 0).then_some(value);
    let first_token_ms = health.first_token_ms(NOW_MS).map(|(ms, _)| ms).or(word(stats.load().ttft_ms));
    let speed_by_word = word(u32::try_from(stats.load().tokens_per_second_milli).unwrap_or(u32::MAX));
    let cached = need.cached.filter(|cached| cached.node == node.peer_id()).map_or(0, |cached| cached.tokens);
    let has_room = stats.occupied() < slots;
    let distance = asked.most_latency.map_or(0, |most| match first_token_ms {
        None => 1,
        Some(ms) if f64::from(ms) <= most * 1000.0 => 0,
        Some(_) => 2,
    });
    let is_short = need.prompt + need.completion > u64::from(node.offer().context_length);
    Seen {
        place,
        cost: expected_cost(&asking_price(node), need.paid_prompt, cached, need.likely_completion),
        load: i128::from(stats.occupied()) * 1000 / i128::from(slots),
        has_room,
        first_token_ms,
        speed_milli: health.speed_milli(NOW_MS).map(|(milli, _)| milli).or(speed_by_word),
        knows_prompt: cached > 0 && cached * 2 >= need.paid_prompt,
        group: (is_short, !has_room, asked.place(node), distance, false, false),
    }
}

/// As `standing` says it, from lists that are sorted whole.
fn mark(seen: &mut [Seen], nodes: &[Candidate], need: &Need<'_>) {
    let enough = |measured: Option<(u32, u32)>| measured.filter(|(_, samples)| *samples >= 5).map(|(value, _)| value);
    let latency = |node: &Seen| enough(nodes[node.place].health().first_token_ms(NOW_MS));
    let speed = |node: &Seen| enough(nodes[node.place].health().speed_milli(NOW_MS));
    let mut slow = BTreeSet::new();
    let mut latencies: Vec<u32> = seen.iter().filter_map(latency).collect();
    latencies.sort_unstable();
    if latencies.len() >= 4 {
        let (all, median) = (latencies.len(), latencies[latencies.len() / 2]);
        let bound = (3 * median).max(median + 250).max(latencies[all - all / 3 - 1]);
        slow.extend(seen.iter().filter(|node| latency(node).is_some_and(|ms| ms > bound)).map(|node| node.place));
    }
    let mut speeds: Vec<u32> = seen.iter().filter_map(speed).collect();
    speeds.sort_unstable();
    if speeds.len() >= 4 {
        let left = (speeds.len() / 3).saturating_sub(slow.len());
        let bound = (speeds[speeds.len() / 2] / 3).min(speeds[left]);
        slow.extend(seen.iter().filter(|node| speed(node).is_some_and(|milli| milli < bound)).map(|node| node.place));
    }
    seen.iter_mut().for_each(|node| node.group.4 = slow.contains(&node.place));
    let served = |node: &Seen| nodes[node.place].health().answers_served();
    let proven = seen.iter().filter(|node| served(node) >= 5 && node.has_room && !node.group.0 && !node.group.4);
    let Some(cheapest) = proven.map(|node| node.cost).min() else { return };
    for node in seen.iter_mut().filter(|node| served(node) < 5) {
        let is_busy = nodes[node.place].health().visits() > 0 || need.prompt > 8192;
        node.group.5 = is_busy && cheapest <= node.cost * 120 / 100;
    }
}

fn peers(picks: &[Pick]) -> Vec<PeerId> {
    picks.iter().map(|pick| pick.candidate.peer_id()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_choice_is_that_of_who_reads_and_sorts_everything(
        made in prop::collection::vec(made(), 0..200),
        asked in asked(),
        (prompt, likely) in (select(vec![90_u64, 120, 9000]), select(vec![1_u64, 40])),
        (needs_tools, caches, excludes, seed) in (prop::bool::weighted(0.3), any::<bool>(), any::<bool>(), any::<u64>()),
    ) {
        let directory = Directory::new(made.len());
        let register = |(place, made): (usize, &Made)| directory.register(PeerId::random(), made.offer(place)).unwrap();
        let _registered: Vec<Registration> = made.iter().enumerate().map(register).collect();
        let snapshot = directory.snapshot();
        let nodes: Vec<Candidate> = snapshot.candidates(MODEL).iter().cloned().collect();
        let _visits: Vec<_> = made.iter().zip(&nodes).map(|(made, node)| made.treat(node)).collect();
        let preferences: ProviderPreferences = serde_json::from_value(asked.json()).unwrap();
        let wishes = Wishes::of(Some(&preferences), None);
        let somebody = nodes.get(7 % nodes.len().max(1)).filter(|_| caches);
        let need = Need {
            likely_completion: likely,
            requirements: if needs_tools { &TOOLS } else { &[] },
            wishes: &wishes,
            cached: somebody.map(|node| Cached { node: node.peer_id(), tokens: 70 }),
            seed,
            ..Need::of(prompt, 50, NOW_MS)
        };
        let excluded: Vec<PeerId> = nodes.iter().step_by(5).map(Candidate::peer_id).filter(|_| excludes).collect();
        let picked = rank(&nodes, &need, &excluded);
        let from_rows = rank(snapshot.candidates(MODEL).rows(), &need, &excluded);
        prop_assert_eq!(from_rows.map(|picks| peers(&picks)), picked.as_ref().map(|picks| peers(picks)).map_err(|refusal| *refusal));

        let refusals: Vec<_> = nodes.iter().map(|node| refusal(node, &need, &asked, &excluded)).collect();
        let able = nodes.iter().enumerate().filter(|(place, _)| refusals[*place].is_none());
        let mut all: Vec<Seen> = able.map(|(place, node)| seen(place, node, &need, &asked)).collect();
        let Some(picked) = picked.ok() else {
            let nearest = refusals.iter().flatten().max().copied().unwrap_or(Refusal::NotOffered);
            prop_assert!(all.is_empty());
            prop_assert_eq!(rank(&nodes, &need, &excluded).map(|_| ()).unwrap_err(), nearest);
            return Ok(());
        };
        if asked.sort.is_none() {
            mark(&mut all, &nodes, &need);
        }
        let best = all.iter().map(|node| (node.group, node.cost)).min().expect("somebody was picked");
        let is_equal = |node: &Seen| {
            asked.sort.is_none() && node.has_room && node.group == best.0 && node.cost <= best.1 + best.1 / 100
        };
        let key = |node: &Seen| {
            let (cost, load, late) = (node.cost, node.load, i128::from(node.first_token_ms.unwrap_or(0)));
            let rest = match asked.sort {
                Some("price") => (false, cost, load),
                Some("latency") => (false, i128::from(node.first_token_ms.unwrap_or(u32::MAX)), cost),
                Some(_) => (false, -i128::from(node.speed_milli.unwrap_or(0)), cost),
                None if !node.has_room => (false, load, cost),
                None if is_equal(node) => (false, load, late),
                None => (true, cost, load),
            };
            (node.group, rest)
        };
        all.sort_by_key(|node| (key(node), node.place));
        let found = |pick: &Pick| {
            all.iter().find(|node| nodes[node.place].peer_id() == pick.candidate.peer_id()).expect("it can serve")
        };
        let picked: Vec<&Seen> = picked.iter().map(found).collect();
        let equals: Vec<&Seen> = all.iter().filter(|node| is_equal(node)).collect();
        // Who is drawn is the dice's to say; that two are, and which of them is first, is not.
        let drawn = match equals.iter().filter(|node| node.knows_prompt).min_by_key(|node| node.place) {
            Some(knowing) => {
                prop_assert_eq!(picked[0].place, knowing.place);
                1
            }
            None if equals.len() > 1 => {
                prop_assert!(picked.iter().take(2).all(|node| is_equal(node)));
                prop_assert!(picked.len() < 2 || key(picked[0]) <= key(picked[1]));
                2
            }
            None => 0,
        };
        let drawn: Vec<usize> = picked.iter().take(drawn).map(|node| node.place).collect();
        let rest = all.iter().map(|node| node.place).filter(|place| !drawn.contains(place));
        let attempts = if asked.no_fallbacks && asked.order.is_empty() { 1 } else { MAX_ATTEMPTS };
        let expected: Vec<usize> = drawn.iter().copied().chain(rest).take(attempts).collect();
        prop_assert_eq!(picked.iter().map(|node| node.place).collect::<Vec<_>>(), expected);
    }
}
