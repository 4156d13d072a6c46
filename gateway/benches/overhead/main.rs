//! What Peerway adds to a request: the same upstream asked directly, and through gateway, libp2p hop and node.
//!
//! Four processes on loopback: this one asks, a copy of it is the upstream, and the two binaries that are sold stand
//! between them, with ledger, tokenizer and all. Run it with `make bench`; `PEERWAY_BIN` is the folder of the binaries.
//! Ratios and CPU time are what to quote: the machine's speed drifts.

mod ask;
mod cpu;
mod stage;
mod upstream;

use std::time::Duration;

use ask::{Answer, Asker, Percentiles};
use cpu::CpuTime;
use stage::Stage;

/// Requests one at a time, on either way.
const SEQUENTIAL: usize = 2_000;
/// Callers at once, and requests of each.
const CALLERS: usize = 64;
const REQUESTS_EACH: usize = 150;
/// Streams of each caller, and pieces of a stream.
const STREAMS_EACH: usize = 3;
const PIECES: usize = 100;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("upstream") {
        return upstream::run();
    }
    // `cargo bench` and `cargo test --benches` pass flags of their own; under test nothing is measured.
    if std::env::args().any(|flag| flag == "--test") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(measure());
}

async fn measure() {
    let stage = Stage::set().await;
    println!("gateway at rest: {:.1} MB resident", cpu::resident_mb(stage.gateway_pid()));

    let direct = Asker::new(stage.upstream(), None);
    let through = Asker::new(stage.gateway(), Some(stage.key()));
    for asker in [&direct, &through] {
        asker.sequential(200).await;
    }
    println!("\none request at a time, {SEQUENTIAL} each, in turns");
    let (mut direct_times, mut through_times) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        direct_times.extend(direct.sequential(SEQUENTIAL / 10).await);
        through_times.extend(through.sequential(SEQUENTIAL / 10).await);
    }
    let (direct_times, through_times) = (Percentiles::of(direct_times), Percentiles::of(through_times));
    println!("  upstream alone     {direct_times}");
    println!("  through Peerway    {through_times}");
    println!(
        "  added              p50 {:.3} ms   p99 {:.3} ms",
        through_times.p50_ms - direct_times.p50_ms,
        through_times.p99_ms - direct_times.p99_ms
    );

    println!("\n{CALLERS} callers at once");
    for (name, asker) in [("upstream alone", &direct), ("through Peerway", &through)] {
        asker.concurrent(CALLERS, 20, Answer::Whole).await;
        let before = CpuTime::of(stage.gateway_pid());
        let (elapsed, requests) = asker.concurrent(CALLERS, REQUESTS_EACH, Answer::Whole).await;
        let spent = CpuTime::of(stage.gateway_pid()).since(before);
        let rate = rate(requests, elapsed);
        println!("  {name:18} {rate:8.0} requests/s   gateway CPU {:6.1} us a request", per(spent, requests));
    }

    println!("\n{CALLERS} streams at once, a piece every {} ms", upstream::PAUSE.as_millis());
    through.concurrent(CALLERS, 1, Answer::Stream(PIECES)).await;
    let before = CpuTime::of(stage.gateway_pid());
    let (elapsed, streams) = through.concurrent(CALLERS, STREAMS_EACH, Answer::Stream(PIECES)).await;
    let spent = CpuTime::of(stage.gateway_pid()).since(before);
    let pieces = streams * PIECES;
    let rate = rate(pieces, elapsed);
    println!("  through Peerway    {rate:8.0} pieces/s     gateway CPU {:6.1} us a piece", per(spent, pieces));
    stage.strike();
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are small")]
fn rate(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are small")]
fn per(spent: Duration, count: usize) -> f64 {
    spent.as_secs_f64() * 1e6 / count as f64
}
