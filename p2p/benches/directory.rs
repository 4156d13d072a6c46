//! What a directory of a hundred thousand nodes costs: memory, arrivals, changes of price, reports of load, reads.
//!
//! `cargo bench -p peerway-p2p --bench directory`. Each node serves 1 to 5 of 200 models, with texts as long as real ones
//! are. Everything runs on one thread. Memory is what the process has resident beyond what it had before, and nodes'
//! registrations, which live in their sessions, count too.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use peerway_p2p::{Ask, Directory, Load, ModelOffer, Offer, PeerId, Registration};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const NODES: usize = 100_000;
const MODELS: usize = 200;
const CHANGES: usize = 50_000;
const REPORTS: usize = 2_000_000;
const READS: usize = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let mut dice = StdRng::seed_from_u64(1);
    let directory = Directory::new(NODES);
    let before = resident()?;
    let mut nodes: Vec<Registration> = Vec::with_capacity(NODES);
    measure("arrivals", NODES, || {
        nodes.push(directory.register(PeerId::random(), offer(&mut dice)).expect("there is room"));
    });
    let after = resident()?;
    println!("{:<26} {:>8.1} MB, {} bytes a node", "resident", megabytes(after - before), (after - before) / NODES);

    // As adverts come: another node each, everything as before but the price.
    let mut offers: Vec<Offer> = (0..CHANGES).map(|_| offer(&mut dice)).collect();
    for (node, offer) in nodes.iter_mut().zip(&offers) {
        node.update(offer.clone());
    }
    offers.iter_mut().flat_map(|offer| &mut offer.models).for_each(|model| model.ask.input += 1);
    let mut changes = nodes.iter_mut().zip(offers);
    measure("changes of price", CHANGES, || {
        let (node, offer) = changes.next().expect("there is one for each");
        node.update(offer);
    });
    let load = Load { running: 3, waiting: 1, free_slots: 5, ttft_ms: 200, tokens_per_second_milli: 40_000 };
    measure("reports of load", REPORTS, || nodes[dice.random_range(0..NODES)].stats().report(&load));
    let models: Vec<String> = (0..MODELS).map(model_id).collect();
    measure("snapshot and model", READS, || {
        let snapshot = directory.snapshot();
        black_box(snapshot.candidates(&models[dice.random_range(0..MODELS)]).is_empty())
    });
    measure("all sellers of a model", READS / 10, || {
        let snapshot = directory.snapshot();
        let candidates = snapshot.candidates(&models[dice.random_range(0..MODELS)]);
        black_box(candidates.iter().map(|candidate| candidate.offer().ask.input).sum::<i64>())
    });
    let mut leaving = nodes.into_iter();
    measure("departures", CHANGES, || drop(leaving.next()));
    Ok(())
}

fn model_id(number: usize) -> String {
    format!("vendor-{}/some-model-{number}b-instruct", number % 20)
}

fn offer(dice: &mut StdRng) -> Offer {
    let first = dice.random_range(0..MODELS);
    let capabilities = ["tools", "response_format", "logprobs", "seed", "top_k", "min_p", "reasoning_effort"];
    let model = |number: usize| ModelOffer {
        id: model_id(number % MODELS),
        ask: Ask { input: 100_000_000, cached_input: 50_000_000, output: 300_000_000 },
        context_length: 32_768,
        quantization: "Q8_0".to_owned(),
        weights_hash: format!("{number:0>64}"),
        capabilities: capabilities.iter().map(|name| (*name).to_owned()).collect(),
    };
    Offer {
        operator: Some(format!("operator-{}", dice.random_range(0..20_000))),
        region: "eu-central-1".to_owned(),
        slots: 8,
        engine: "mistral.rs 0.8.1".to_owned(),
        models: (0..dice.random_range(1..=5)).map(|step| model(first + step * 7)).collect(),
    }
}

/// Bytes that the process has resident.
fn resident() -> Result<usize, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse::<usize>()? * 1024)
}

#[expect(clippy::cast_precision_loss, reason = "a number for people")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "a number for people")]
fn measure<T>(what: &str, rounds: usize, mut work: impl FnMut() -> T) {
    let mut times: Vec<Duration> = Vec::with_capacity(rounds);
    let began = Instant::now();
    for _ in 0..rounds {
        let began = Instant::now();
        black_box(work());
        times.push(began.elapsed());
    }
    let each_second = rounds as f64 / began.elapsed().as_secs_f64();
    times.sort_unstable();
    let micros = |part: usize| times[rounds * part / 100].as_secs_f64() * 1e6;
    println!("{what:<26} {each_second:>12.0} a second, p50 {:>8.2} us, p99 {:>8.2} us", micros(50), micros(99));
}
