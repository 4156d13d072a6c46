//! What callers wish of the nodes.

use std::time::Duration;

use peerway::route::{Need, Refusal, Unwanted, Wishes, explain, rank, why_not};
use peerway_billing::FeeBps;
use peerway_openapi::routing::{ProviderPreferences, ProviderSort};
use peerway_p2p::{Ask, Candidate, ModelOffer};
use serde_json::{Value, json};

use crate::{MODEL, model, need, offering, order};

fn wishes(provider: &Value) -> Wishes {
    let provider: ProviderPreferences = serde_json::from_value(provider.clone()).expect("they are wishes");
    Wishes::of(Some(&provider), None)
}

/// USD per million tokens, in thousandths.
fn seller(operator: &str, region: &str, milli_usd: i64) -> Candidate {
    let price = milli_usd * 1_000_000;
    let ask = Ask { input: price, cached_input: price, output: price };
    offering(Some(operator), region, ModelOffer { ask, ..model() })
}

/// Ann is cheap, Bob costs twice as much, Cid three times.
fn three() -> [Candidate; 3] {
    [seller("ann", "eu", 100), seller("bob", "us", 200), seller("cid", "eu", 300)]
}

fn ordered(nodes: &[Candidate], provider: &Value) -> Vec<usize> {
    order(nodes, &Need { wishes: &wishes(provider), ..need() })
}

#[test]
fn names_are_of_operators_regions_and_nodes() {
    let nodes = three();
    let peer = nodes[2].peer_id().to_string();
    for (provider, expected) in [
        (json!({}), vec![0, 1, 2]),
        (json!({"only": ["EU"]}), vec![0, 2]),
        (json!({"only": [peer, "Bob"]}), vec![1, 2]),
        (json!({"ignore": ["eu"]}), vec![1]),
        (json!({"only": ["eu"], "ignore": [peer]}), vec![0]),
        (json!({"order": [peer]}), vec![2, 0, 1]),
        (json!({"order": ["us", "eu"]}), vec![1, 0, 2]),
        (json!({"order": ["cid", "ann"], "allow_fallbacks": false}), vec![2, 0]),
        (json!({"allow_fallbacks": false}), vec![0]),
        (json!({"allow_fallbacks": true, "order": ["bob"]}), vec![1, 0, 2]),
        (json!({"order": ["eu", "bob", "ann"]}), vec![0, 2, 1]),
        (json!({"only": ["eu"], "ignore": ["CID"]}), vec![0]),
        (json!({"max_price": {"request": 0}, "require_parameters": false}), vec![0, 1, 2]),
    ] {
        assert_eq!(ordered(&nodes, &provider), expected, "{provider}");
    }
}

#[test]
fn a_wish_that_nobody_meets_says_which_and_why() {
    let nodes = three();
    let refused = |provider: Value| {
        let wishes = wishes(&provider);
        let need = Need { wishes: &wishes, fee: FeeBps::new(500).unwrap(), ..need() };
        let refusal = rank(&nodes, &need, &[]).map(|picks| picks.len()).unwrap_err();
        (refusal, why_not(&nodes, &need, &[]))
    };
    for (provider, wish, why) in [
        (json!({"only": ["dan"]}), Unwanted::NotInOnly, "is not in `only`"),
        (json!({"ignore": ["eu", "us"]}), Unwanted::Ignored, "is in `ignore`"),
        (json!({"order": ["dan"], "allow_fallbacks": false}), Unwanted::NotInOrder, "`allow_fallbacks` is false"),
        (json!({"quantizations": ["bf16"]}), Unwanted::Quantization, "has `Q8_0`"),
        (json!({"data_collection": "deny"}), Unwanted::MayCollect, "keep nothing"),
        (json!({"max_price": {"prompt": "0.01"}}), Unwanted::PromptPrice, "costs $0.105 for a million prompt tokens"),
        (json!({"max_price": {"completion": 0}}), Unwanted::CompletionPrice, "a million generated tokens"),
    ] {
        let (refusal, told) = refused(provider.clone());
        assert_eq!(refusal, Refusal::Unwanted(wish), "{provider}");
        assert!(told.contains(why), "{provider}: {told}");
        assert!(nodes.iter().all(|node| told.contains(&node.peer_id().to_string())), "{told}");
    }
}

#[test]
fn the_reasons_of_a_crowd_are_bounded() {
    let nodes: Vec<Candidate> = (0..500).map(|_| seller("ann", "eu", 100)).collect();
    let wishes = wishes(&json!({"only": ["dan"]}));
    let told = why_not(&nodes, &Need { wishes: &wishes, ..need() }, &[]);
    assert!(told.ends_with("and 492 more") && told.len() < 2000, "{told}");
}

#[test]
fn a_price_is_held_against_what_is_paid_with_the_fee() {
    let nodes = three();
    let wishes = wishes(&json!({"max_price": {"prompt": 0.2, "completion": 0.2}}));
    let capped = Need { wishes: &wishes, ..need() };
    assert_eq!(order(&nodes, &capped), [0, 1]);
    assert_eq!(order(&nodes, &Need { fee: FeeBps::new(1).unwrap(), ..capped }), [0]);
}

#[test]
fn weights_and_promises_are_looked_for_in_any_case_of_letters() {
    let promising = ModelOffer { capabilities: vec!["no_data_collection".to_owned()], ..model() };
    let coarse = ModelOffer { quantization: "Q4_K_M".to_owned(), ..model() };
    let nodes = [offering(None, "", promising), offering(None, "", coarse)];
    assert_eq!(ordered(&nodes, &json!({"data_collection": "deny"})), [0]);
    assert_eq!(ordered(&nodes, &json!({"quantizations": ["fp8", "q4_k_m"]})), [1]);
}

#[test]
fn nodes_are_sorted_as_asked() {
    let nodes = three();
    for (node, speed, first_token) in [(0, 10, 900), (1, 90, 500), (2, 50, 100)] {
        nodes[node].health().measured_speed(speed * 1000);
        nodes[node].health().began(Duration::from_millis(first_token));
    }
    assert_eq!(ordered(&nodes, &json!({"sort": "price"})), [0, 1, 2]);
    assert_eq!(ordered(&nodes, &json!({"sort": "throughput"})), [1, 2, 0]);
    assert_eq!(ordered(&nodes, &json!({"sort": "latency"})), [2, 1, 0]);
    let nitro = Wishes::of(None, Some(ProviderSort::Throughput));
    assert_eq!(order(&nodes, &Need { wishes: &nitro, ..need() }), [1, 2, 0]);
    let told: ProviderPreferences = serde_json::from_value(json!({"sort": "latency"})).unwrap();
    let told = Wishes::of(Some(&told), Some(ProviderSort::Throughput));
    assert_eq!(order(&nodes, &Need { wishes: &told, ..need() }), [2, 1, 0], "the field counts before the suffix");
    let other: ProviderPreferences = serde_json::from_value(json!({"ignore": ["dan"]})).unwrap();
    let other = Wishes::of(Some(&other), Some(ProviderSort::Throughput));
    assert_eq!(order(&nodes, &Need { wishes: &other, ..need() }), [1, 2, 0], "other fields leave the suffix its say");
}

#[test]
fn sorted_by_price_nobody_yields_to_load() {
    let nodes = [seller("ann", "eu", 1000), seller("bob", "us", 1001)];
    nodes[0].stats().begin();
    assert_eq!(ordered(&nodes, &json!({}))[0], 1);
    assert_eq!(ordered(&nodes, &json!({"sort": "price"}))[0], 0);
}

#[test]
fn preferences_order_and_rule_nobody_out() {
    let nodes = three();
    nodes[0].health().measured_speed(10_000);
    nodes[0].health().began(Duration::from_millis(900));
    nodes[2].health().measured_speed(50_000);
    nodes[2].health().began(Duration::from_millis(100));
    // The second is not known.
    assert_eq!(ordered(&nodes, &json!({"preferred_min_throughput": 20})), [2, 1, 0]);
    assert_eq!(ordered(&nodes, &json!({"preferred_max_latency": 0.5})), [2, 1, 0]);
    assert_eq!(ordered(&nodes, &json!({"preferred_max_latency": 1})), [0, 2, 1]);
    // As much as is asked for is enough.
    assert_eq!(ordered(&nodes, &json!({"preferred_min_throughput": 10})), [0, 2, 1]);
    assert_eq!(ordered(&nodes, &json!({"preferred_max_latency": 0.9})), [0, 2, 1]);
    // One of the two is not enough.
    let both = json!({"preferred_max_latency": 1, "preferred_min_throughput": 20});
    assert_eq!(ordered(&nodes, &both), [2, 1, 0]);
}

#[test]
fn a_choice_is_explained_as_it_was_made() {
    let nodes = three();
    nodes[1].health().failed();
    let wishes = wishes(&json!({"order": ["cid"]}));
    let need = Need { wishes: &wishes, ..need() };
    let picks = rank(&nodes, &need, &[]).unwrap();
    let told = explain(MODEL, &nodes, &need, &picks);
    let verdicts: Vec<_> = told.candidates.iter().map(|node| (node.node.as_str(), node.verdict.as_str())).collect();
    let peers: Vec<String> = nodes.iter().map(|node| node.peer_id().to_string()).collect();
    assert_eq!(verdicts, [(&*peers[2], "try_1"), (&*peers[0], "try_2"), (&*peers[1], "unhealthy")]);
    let first: Value = serde_json::from_str(&told.to_json(4096)).unwrap();
    // 200 tokens at 0.3 USD per million.
    assert_eq!(
        (&first["candidates"][0]["cost"], &first["candidates"][0]["price"][0]),
        (&json!(0.00006), &json!("0.3"))
    );
}

#[test]
fn an_explanation_is_bounded_and_stays_json() {
    let nodes: Vec<Candidate> = (0..500).map(|place| seller("ann", "eu", place)).collect();
    let picks = rank(&nodes, &need(), &[]).unwrap();
    let json = explain(MODEL, &nodes, &need(), &picks).to_json(4096);
    assert!(json.len() <= 4096 && json.is_ascii());
    let told: Value = serde_json::from_str(&json).unwrap();
    let listed = told["candidates"].as_array().unwrap().len();
    assert!((15..=32).contains(&listed), "{listed}");
    assert_eq!(told["more"], json!(500 - listed));
    assert_eq!(told["candidates"][2]["verdict"], json!("try_3"));
}
