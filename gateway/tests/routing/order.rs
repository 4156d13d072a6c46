//! Price, room, load, context and caches.

use std::collections::BTreeSet;

use peerway::route::{Cached, MAX_ATTEMPTS, Need, Refusal, Requirement, rank};
use peerway_billing::Price;
use peerway_p2p::{Ask, Candidate, Directory, ModelOffer, Offer, PeerId};

use crate::{MODEL, model, need, node, offering, order};

fn with_context(input: i64, context_length: u32) -> Candidate {
    offering(None, "", ModelOffer { ask: Ask { input, cached_input: input, output: input }, context_length, ..model() })
}

fn caching(input: i64, cached_input: i64) -> Candidate {
    offering(None, "", ModelOffer { ask: Ask { input, cached_input, output: 0 }, ..model() })
}

/// Requests at a node, kept there.
fn occupy(node: &Candidate, requests: usize) {
    (0..requests).for_each(|_| node.stats().begin());
}

#[test]
fn the_cheapest_comes_first_and_no_more_than_three_are_tried() {
    let nodes = [node(300, 300), node(100, 100), node(500, 500), node(200, 200), node(400, 400)];
    assert_eq!(order(&nodes, &need()), [1, 3, 0]);
    assert_eq!(MAX_ATTEMPTS, 3);
}

#[test]
fn what_is_cheapest_depends_on_how_much_is_likely_to_be_generated() {
    let nodes = [node(1, 100), node(20, 20)];
    assert_eq!(order(&nodes, &Need { likely_completion: 10, ..need() }), [0, 1]);
    assert_eq!(order(&nodes, &Need { likely_completion: 90, ..need() }), [1, 0]);
}

#[test]
fn a_nearly_equal_price_yields_to_load() {
    let nodes = [node(10_000, 10_000), node(10_050, 10_050), node(10_200, 10_200)];
    occupy(&nodes[0], 1);
    assert_eq!(order(&nodes, &need()), [1, 0, 2]);
}

#[test]
fn of_many_equals_two_are_drawn_and_the_less_busy_one_is_first() {
    let nodes: Vec<Candidate> = (0..10).map(|_| node(100, 100)).collect();
    (1..10).for_each(|place| occupy(&nodes[place], 1));
    let firsts: Vec<usize> = (0..1000_u64)
        .map(|step| order(&nodes, &Need { seed: step.wrapping_mul(0x9e37_79b9_7f4a_7c15), ..need() })[0])
        .collect();
    assert_eq!(firsts.iter().copied().collect::<BTreeSet<_>>().len(), 10, "some are never drawn");
    // The only idle one wins whenever it is drawn: in two draws of ten.
    let idle = firsts.iter().filter(|place| **place == 0).count();
    assert!((150..=250).contains(&idle), "{idle}");
    let again = |seed| order(&nodes, &Need { seed, ..need() });
    assert_eq!(again(7), again(7), "the same seed makes the same choice");
}

#[test]
fn a_full_node_comes_last_however_cheap() {
    let nodes = [node(1, 1), node(900, 900)];
    occupy(&nodes[0], 2);
    assert_eq!(order(&nodes, &need()), [1, 0]);
    nodes[0].stats().end();
    assert_eq!(order(&nodes, &need()), [0, 1]);
}

#[test]
fn a_context_that_holds_the_whole_answer_comes_before_a_cheap_one_that_does_not() {
    let nodes = [with_context(1, 150), with_context(50, 200), with_context(40, 100)];
    // Of 100 tokens of prompt and 100 of answer: the first cuts the answer short, the last has no room for one.
    assert_eq!(order(&nodes, &need()), [1, 0]);
    occupy(&nodes[1], 5);
    assert_eq!(order(&nodes, &need()), [1, 0], "to wait is better than to be cut short");
    assert_eq!(order(&nodes, &Need { completion: 50, ..need() }), [0, 1]);
}

#[test]
fn who_knows_the_prompt_is_cheaper_by_what_it_asks_for_it_and_no_more() {
    let nodes = [caching(100, 100), caching(120, 10), caching(120, 110)];
    let knows = |place: usize, tokens| Need {
        cached: Some(Cached { node: nodes[place].peer_id(), tokens }),
        prompt: 2000,
        paid_prompt: 2000,
        completion: 10,
        ..need()
    };
    assert_eq!(order(&nodes, &knows(1, 1000))[0], 1);
    assert_eq!(order(&nodes, &knows(1, 0))[0], 0, "nothing cached saves nothing");
    assert_eq!(order(&nodes, &knows(2, 2000))[0], 0, "nobody goes to a dearer node for its cache");
}

#[test]
fn of_equals_the_one_that_knows_the_prompt_is_taken() {
    let nodes: Vec<Candidate> = (0..10).map(|_| caching(100, 100)).collect();
    occupy(&nodes[4], 1);
    let cached = Some(Cached { node: nodes[4].peer_id(), tokens: 1500 });
    let long = Need { prompt: 1600, paid_prompt: 1600, cached, ..need() };
    assert!((0..50).all(|seed| order(&nodes, &Need { seed, ..long })[0] == 4));
    let little = Need { cached: cached.map(|cached| Cached { tokens: 100, ..cached }), ..long };
    assert!((0..50).any(|seed| order(&nodes, &Need { seed, ..little })[0] != 4), "a small part is no reason to crowd");
    occupy(&nodes[4], 1);
    assert_ne!(order(&nodes, &long)[0], 4, "it has no room");
}

#[test]
fn a_cache_that_was_never_there_is_no_longer_counted_on() {
    let nodes = [caching(100, 100), caching(120, 10)];
    let cached = Some(Cached { node: nodes[1].peer_id(), tokens: 2000 });
    let need = Need { cached, prompt: 2000, paid_prompt: 2000, completion: 10, ..need() };
    assert_eq!(order(&nodes, &need)[0], 1);
    (0..100).for_each(|_| nodes[1].health().found_cached(2000, 0));
    assert_eq!(order(&nodes, &need)[0], 0);
}

#[test]
fn a_node_that_failed_is_left_out_for_a_while_and_then_tried_by_one() {
    let nodes = [node(1, 1), node(2, 2)];
    nodes[0].health().failed();
    assert_eq!(order(&nodes, &need()), [1]);
    let later = Need { now_ms: u64::MAX, ..need() };
    assert_eq!(order(&nodes, &later), [0, 1]);
}

#[test]
fn refusals_say_why() {
    let refusal = |nodes: &[Candidate], need: &Need<'_>| rank(nodes, need, &[]).map(|picks| picks.len()).unwrap_err();
    assert_eq!(refusal(&[], &need()), Refusal::NotOffered);
    let tools = Requirement { capability: "tools", field: "tools" };
    let requirements = [tools];
    assert_eq!(refusal(&[node(1, 1)], &Need { requirements: &requirements, ..need() }), Refusal::Incapable(tools));
    let cap = Need { price_cap: Some(Price::from_usd_strs("0.000000050", "0", "1").unwrap()), ..need() };
    assert_eq!(refusal(&[node(51, 1)], &cap), Refusal::TooDear);
    let long = Need { prompt: 2048, ..need() };
    assert_eq!(refusal(&[node(1, 1)], &long), Refusal::ContextTooShort);
    assert_eq!(order(&[with_context(1, 2049)], &long), [0]);
    let failed = [node(1, 1)];
    failed[0].health().failed();
    assert_eq!(refusal(&failed, &need()), Refusal::NoneHealthy);
}

#[test]
fn who_has_left_or_drains_is_not_tried_though_an_older_view_has_it() {
    let directory = Directory::new(3);
    let offer = |input| Offer {
        slots: 2,
        models: vec![ModelOffer { ask: Ask { input, cached_input: input, output: input }, ..model() }],
        ..Offer::default()
    };
    let mut nodes: Vec<_> = [1, 2, 3].map(|input| directory.register(PeerId::random(), offer(input)).unwrap()).into();
    let view = directory.snapshot();
    nodes[1].drain();
    drop(nodes.remove(0));
    let picks = rank(view.candidates(MODEL), &need(), &[]).unwrap();
    let asks: Vec<i64> = picks.iter().map(|pick| pick.candidate.offer().ask.input).collect();
    assert_eq!(asks, [3]);
}

#[test]
fn excluded_nodes_are_not_tried_again() {
    let nodes = [node(1, 1), node(2, 2)];
    let picks = rank(&nodes, &need(), &[nodes[0].peer_id()]).unwrap();
    assert_eq!(picks.len(), 1);
    assert_eq!(picks[0].candidate.peer_id(), nodes[1].peer_id());
}
