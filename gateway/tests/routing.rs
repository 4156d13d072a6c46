//! Which nodes are tried, and in which order.

use peerway::route::{MAX_ATTEMPTS, Need, Refusal, rank};
use peerway_billing::Price;
use peerway_p2p::{Ask, Candidate, ModelOffer, Offer, PeerId};

const MODEL: &str = "m";

fn node(input: i64, output: i64) -> Candidate {
    with_context(input, output, 2048)
}

fn with_context(input: i64, output: i64, context_length: u32) -> Candidate {
    let model = ModelOffer {
        id: MODEL.to_owned(),
        ask: Ask { input, cached_input: input, output },
        context_length,
        quantization: String::new(),
        weights_hash: String::new(),
        capabilities: Vec::new(),
    };
    let offer =
        Offer { operator: None, region: String::new(), slots: 2, engine: "test".to_owned(), models: vec![model] };
    Candidate::detached(PeerId::random(), offer, MODEL).expect("the offer has the model")
}

fn need() -> Need<'static> {
    Need { prompt: 100, completion: 100, requirements: &[], price_cap: None, now_ms: 1 }
}

/// The places of the picks among the nodes.
fn order(nodes: &[Candidate], need: &Need<'_>) -> Vec<usize> {
    let picks = rank(nodes, need, &[]).expect("a node fits");
    let place = |peer: PeerId| nodes.iter().position(|node| node.peer_id() == peer).expect("a pick is one of them");
    picks.iter().map(|pick| place(pick.candidate.peer_id())).collect()
}

#[test]
fn the_cheapest_comes_first_and_no_more_than_three_are_tried() {
    let nodes = [node(300, 300), node(100, 100), node(500, 500), node(200, 200), node(400, 400)];
    assert_eq!(order(&nodes, &need()), [1, 3, 0]);
    assert_eq!(MAX_ATTEMPTS, 3);
}

#[test]
fn a_nearly_equal_price_yields_to_load() {
    let nodes = [node(10_000, 10_000), node(10_050, 10_050), node(10_200, 10_200)];
    nodes[0].stats().begin();
    assert_eq!(order(&nodes, &need()), [1, 0, 2]);
}

#[test]
fn a_full_node_comes_last_however_cheap() {
    let nodes = [node(1, 1), node(900, 900)];
    (0..2).for_each(|_| nodes[0].stats().begin());
    assert_eq!(order(&nodes, &need()), [1, 0]);
    nodes[0].stats().end();
    assert_eq!(order(&nodes, &need()), [0, 1]);
}

#[test]
fn a_node_that_failed_is_left_out_for_a_while() {
    let nodes = [node(1, 1), node(2, 2)];
    nodes[0].stats().record_failure();
    assert_eq!(order(&nodes, &need()), [1]);
    let later = Need { now_ms: u64::MAX, ..need() };
    assert_eq!(order(&nodes, &later), [0, 1]);
}

#[test]
fn refusals_say_why() {
    let refusal = |nodes: &[Candidate], need: &Need<'_>| rank(nodes, need, &[]).map(|picks| picks.len()).unwrap_err();
    assert_eq!(refusal(&[], &need()), Refusal::NotOffered);
    let cap = Need { price_cap: Some(Price::from_usd_strs("0.000000050", "0", "1").unwrap()), ..need() };
    assert_eq!(refusal(&[node(51, 1)], &cap), Refusal::TooDear);
    let long = Need { prompt: 2048, ..need() };
    assert_eq!(refusal(&[node(1, 1)], &long), Refusal::ContextTooShort);
    assert_eq!(order(&[with_context(1, 1, 2049)], &long), [0]);
    let failed = [node(1, 1)];
    failed[0].stats().record_failure();
    assert_eq!(refusal(&failed, &need()), Refusal::NoneHealthy);
}

#[test]
fn excluded_nodes_are_not_tried_again() {
    let nodes = [node(1, 1), node(2, 2)];
    let picks = rank(&nodes, &need(), &[nodes[0].peer_id()]).unwrap();
    assert_eq!(picks.len(), 1);
    assert_eq!(picks[0].candidate.peer_id(), nodes[1].peer_id());
}
