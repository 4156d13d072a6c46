//! Choosing among many nodes asks the allocator as often as choosing among few.
//!
//! A test of its own, because it counts what the whole process does.

use std::alloc::System;
use std::time::Duration;

use peerway::route::{Need, Requirement, rank};
use peerway_p2p::{Ask, Directory, ModelOffer, Offer, PeerId, Registration};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MODEL: &str = "m";
const TOOLS: [Requirement; 1] = [Requirement { capability: "tools", field: "tools" }];

fn market(nodes: i64) -> (Directory, Vec<Registration>) {
    let directory = Directory::new(10_000);
    let offer = |number: i64| Offer {
        slots: 2,
        models: vec![ModelOffer {
            id: MODEL.to_owned(),
            ask: Ask { input: 10_000 + number % 200, cached_input: 5_000, output: 20_000 },
            context_length: 8192,
            quantization: String::new(),
            weights_hash: String::new(),
            capabilities: vec!["seed".to_owned(), "tools".to_owned()],
        }],
        ..Offer::default()
    };
    let registered: Vec<_> =
        (0..nodes).filter_map(|number| directory.register(PeerId::random(), offer(number)).ok()).collect();
    for (candidate, number) in directory.snapshot().candidates(MODEL).iter().zip(0_u64..) {
        (0..number % 7).for_each(|_| candidate.health().began(Duration::from_millis(100 + number)));
        (0..number % 8).for_each(|_| candidate.health().served());
    }
    (directory, registered)
}

/// How often the allocator is asked, at the least of many times: other threads of the process may ask it, too.
fn allocations(nodes: i64) -> usize {
    let (directory, _registered) = market(nodes);
    let need = Need { requirements: &TOOLS, ..Need::of(1000, 500, directory.now_ms()) };
    let once = || {
        let region = Region::new(ALLOCATOR);
        let snapshot = directory.snapshot();
        let picks = rank(snapshot.candidates(MODEL).rows(), &need, &[]).map_or(0, |picks| picks.len());
        assert_eq!(picks, 3);
        let asked = region.change();
        asked.allocations + asked.reallocations
    };
    (0..20).map(|_| once()).min().unwrap_or(usize::MAX)
}

#[test]
fn a_candidate_costs_no_allocation() {
    let (few, many) = (allocations(60), allocations(5000));
    // The nodes, places among them, and the picks.
    assert_eq!((few, many), (3, 3));
}
