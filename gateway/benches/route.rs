//! What it takes to choose a node for a request.
//!
//! `cargo bench -p peerway --bench route`. A directory of 100 000 nodes and 200 models, 500 sellers each; every request is
//! for another model, so that little of it is in the processor's cache. Half of the nodes were measured, some are busy,
//! some failed. That nothing is allocated for a candidate is counted in `tests/allocations.rs`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use peerway::route::{Cached, Need, Requirement, Wishes, explain, rank};
use peerway_openapi::routing::ProviderPreferences;
use peerway_p2p::{Ask, Directory, ModelOffer, Offer, PeerId, Registration};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const NODES: usize = 100_000;
const MODELS: usize = 200;
const ROUNDS: usize = 10_000;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let mut dice = StdRng::seed_from_u64(1);
    let directory = Directory::new(NODES);
    let nodes: Vec<Registration> = (0..NODES)
        .map(|number| directory.register(PeerId::random(), offer(number, &mut dice)).expect("there is room"))
        .collect();
    let models: Vec<String> = (0..MODELS).map(|number| format!("model-{number}")).collect();
    let snapshot = directory.snapshot();
    for model in &models {
        for candidate in snapshot.candidates(model) {
            let health = candidate.health();
            match dice.random_range(0..20) {
                0 => health.failed(),
                1 | 2 => candidate.stats().begin(),
                3..10 => {
                    for _ in 0..6 {
                        health.began(Duration::from_millis(dice.random_range(100..400)));
                        health.measured_speed(dice.random_range(20_000..80_000));
                        health.served();
                    }
                }
                _ => {}
            }
        }
    }
    println!("{NODES} nodes, {} sellers of each model; median and 99th percentile of {ROUNDS}", NODES / MODELS);
    let now_ms = directory.now_ms();
    let plain = Need::of(1000, 500, now_ms);
    let requirements = [
        Requirement { capability: "tools", field: "tools" },
        Requirement { capability: "response_format", field: "response_format" },
    ];
    let preferences: ProviderPreferences = serde_json::from_value(json!({
        "order": ["eu"], "ignore": ["operator-7"], "max_price": {"prompt": 0.3}, "preferred_min_throughput": 30,
    }))
    .expect("they are wishes");
    let wishes = Wishes::of(Some(&preferences), None);
    let somebody = snapshot.candidates(&models[0])[0].peer_id();
    let cached = Some(Cached { node: somebody, tokens: 900 });
    for (what, need) in [
        ("no wishes", plain),
        ("two capabilities needed", Need { requirements: &requirements, ..plain }),
        ("a cache to return to", Need { cached, ..plain }),
        ("wishes of four kinds", Need { wishes: &wishes, ..plain }),
    ] {
        measure(what, || {
            let model = &models[dice.random_range(0..MODELS)];
            rank(directory.snapshot().candidates(model).rows(), &Need { seed: dice.random(), ..need }, &[])
        });
    }
    measure("the same model each time", || {
        rank(snapshot.candidates(&models[0]).rows(), &Need { seed: dice.random(), ..plain }, &[])
    });
    measure("explained", || {
        let (snapshot, model) = (directory.snapshot(), &models[dice.random_range(0..MODELS)]);
        let picks = rank(snapshot.candidates(model).rows(), &plain, &[]).expect("somebody serves");
        explain(model, snapshot.candidates(model).rows(), &plain, &picks).to_json(4096)
    });
    drop(nodes);
}

fn offer(number: usize, dice: &mut StdRng) -> Offer {
    let input = dice.random_range(100_000_000..400_000_000);
    let model = ModelOffer {
        id: format!("model-{}", number % MODELS),
        ask: Ask { input, cached_input: input / 2, output: input * 3 },
        context_length: 32_768,
        quantization: "Q8_0".to_owned(),
        weights_hash: String::new(),
        capabilities: ["logprobs", "seed", "tools", "top_k", "response_format"].map(str::to_owned).to_vec(),
    };
    let region = if dice.random_bool(0.5) { "eu" } else { "us" };
    Offer {
        operator: Some(format!("operator-{}", number % 1000)),
        region: region.to_owned(),
        slots: 4,
        engine: "mistral.rs 0.8.1".to_owned(),
        models: vec![model],
    }
}

fn measure<T>(what: &str, mut work: impl FnMut() -> T) {
    let mut times: Vec<Duration> = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        black_box(work());
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let micros = |part: usize| times[ROUNDS * part / 100].as_secs_f64() * 1e6;
    println!("  {what:<26} {:>8.1} us {:>8.1} us", micros(50), micros(99));
}
