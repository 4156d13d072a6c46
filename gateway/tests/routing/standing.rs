//! Who is slower than the others, and who is new.

use std::time::Duration;

use peerway::route::Need;
use peerway_p2p::{Ask, Candidate, ModelOffer};

use crate::{model, need, node, offering, order};

/// A node that gave ten answers like this.
fn proven(price: i64, first_token_ms: u64, tokens_per_second: u64) -> Candidate {
    let node = node(price, price);
    for _ in 0..10 {
        node.health().began(Duration::from_millis(first_token_ms));
        node.health().measured_speed(tokens_per_second * 1000);
        node.health().served();
    }
    node
}

#[test]
fn who_is_far_slower_than_the_others_serves_after_them() {
    let late = [proven(1, 4000, 50), proven(20, 300, 50), proven(30, 310, 50), proven(40, 290, 50)];
    assert_eq!(order(&late, &need()), [1, 2, 3]);
    let slow = [proven(1, 300, 10), proven(20, 300, 50), proven(30, 310, 45), proven(40, 290, 55)];
    assert_eq!(order(&slow, &need()), [1, 2, 3]);
}

#[test]
fn who_is_somewhat_slower_or_alone_in_being_measured_is_as_the_others() {
    let somewhat = [proven(1, 800, 20), proven(20, 300, 50), proven(30, 310, 50), proven(40, 290, 50)];
    assert_eq!(order(&somewhat, &need())[0], 0);
    let quick = [proven(1, 200, 50), proven(20, 3, 50), proven(30, 3, 50), proven(40, 3, 50)];
    assert_eq!(order(&quick, &need())[0], 0, "a multiple of next to nothing is nothing");
    let alone = [proven(1, 9000, 1), node(20, 20), node(30, 30), node(40, 40)];
    assert_eq!(order(&alone, &need())[0], 0);
}

#[test]
fn no_more_than_a_third_is_called_slow() {
    let mut nodes: Vec<Candidate> = (0..3).map(|place| proven(1 + place, 60_000, 1)).collect();
    nodes.push(proven(4, 5000, 40));
    nodes.extend((0..5).map(|place| proven(100 + place, 100, 50)));
    // Four of nine are past three times the median; the least of them is not among the worst third.
    assert_eq!(order(&nodes, &need())[0], 3);
}

#[test]
fn who_was_slow_long_ago_is_tried_again() {
    let nodes = [proven(1, 4000, 50), proven(20, 300, 50), proven(30, 310, 50), proven(40, 290, 50)];
    assert_eq!(order(&nodes, &Need { now_ms: 10 * 60_000, ..need() })[0], 0);
}

#[test]
fn a_newcomer_gets_one_request_at_a_time_while_proven_nodes_cost_about_as_much() {
    let nodes = [node(100, 100), proven(110, 100, 50)];
    assert_eq!(order(&nodes, &need())[0], 0, "it is the cheapest and has nothing to do");
    let visit = nodes[0].visit().unwrap();
    assert_eq!(order(&nodes, &need())[0], 1);
    drop(visit);
    (0..5).for_each(|_| nodes[0].health().served());
    let _visit = nodes[0].visit().unwrap();
    assert_eq!(order(&nodes, &need())[0], 0, "it has proved itself");
}

#[test]
fn a_newcomer_gets_no_huge_prompt_while_proven_nodes_cost_about_as_much() {
    let roomy = |input| {
        let ask = Ask { input, cached_input: input, output: input };
        offering(None, "", ModelOffer { ask, context_length: 32_000, ..model() })
    };
    let nodes = [roomy(100), roomy(110)];
    (0..5).for_each(|_| nodes[1].health().served());
    let of = |prompt| Need { prompt, paid_prompt: prompt, ..need() };
    assert_eq!((order(&nodes, &of(8000))[0], order(&nodes, &of(9000))[0]), (0, 1));
}

#[test]
fn a_newcomer_serves_as_any_other_where_nobody_comparable_has_proved_better() {
    let alone = [node(100, 100), node(110, 110)];
    let dear = [node(100, 100), proven(300, 100, 50)];
    let full = [node(100, 100), proven(110, 100, 50)];
    (0..2).for_each(|_| full[1].stats().begin());
    for nodes in [alone, dear, full] {
        let _visit = nodes[0].visit().unwrap();
        assert_eq!(order(&nodes, &need())[0], 0);
    }
}
