//! What one hop over libp2p costs, against plain TCP.
//!
//! Client and server are two processes on the loopback interface. A request has 300 bytes of body, its answer 400; both
//! sides read and write all of it with hyper. The client's processor time is that of all its threads, swarm included.
//! `HOP_SECONDS` sets how long each line is measured (default 3).

mod two_processes;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;

use two_processes::{Caller, Outcome, Running, WAYS, Way, cpu_time};

const REQUEST: [u8; 300] = [b'q'; 300];
const ANSWER: [u8; 400] = [b'a'; 400];
const CALLERS: [usize; 2] = [1, 64];

fn main() -> Outcome<()> {
    two_processes::run(service_fn(answer), measure())
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let read = request.into_body().collect().await.map_or(0, |body| body.to_bytes().len());
    let body = if read == REQUEST.len() { Bytes::from_static(&ANSWER) } else { Bytes::new() };
    Ok(Response::new(Full::new(body)))
}

async fn call(way: &mut Way) -> Outcome<()> {
    let request = Request::post("/v1/x").header("host", "peer").body(Full::new(Bytes::from_static(&REQUEST)))?;
    let answered = match way {
        Way::Tcp(sender) => {
            sender.ready().await?;
            sender.send_request(request).await?.into_body().collect().await?.to_bytes()
        }
        Way::Peer(client, peer) => client.send(*peer, request).await?.into_body().collect().await?.to_bytes(),
    };
    if answered.len() == ANSWER.len() { Ok(()) } else { Err("a wrong answer".into()) }
}

async fn measure() -> Outcome<()> {
    let seconds = std::env::var("HOP_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    println!(
        "{:<14} {:>7} {:>10} {:>9} {:>9} {:>9} {:>12}",
        "way", "callers", "requests/s", "p50 µs", "p99 µs", "CPU µs", "× plain TCP"
    );
    let mut plain = [0.0; CALLERS.len()];
    for (name, listen) in WAYS {
        let server = Running::start(listen).await?;
        for (index, callers) in CALLERS.into_iter().enumerate() {
            run(&server.caller, callers, Duration::from_millis(500)).await?;
            let figures = run(&server.caller, callers, Duration::from_secs(seconds)).await?;
            if listen.is_none() {
                plain[index] = figures.cpu_us;
            }
            println!(
                "{name:<14} {callers:>7} {:>10.0} {:>9.1} {:>9.1} {:>9.1} {:>12.2}",
                figures.per_second,
                figures.p50_us,
                figures.p99_us,
                figures.cpu_us,
                figures.cpu_us / plain[index]
            );
        }
    }
    Ok(())
}

struct Figures {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds of a few seconds are far below 2^53")]
async fn run(caller: &Caller, callers: usize, duration: Duration) -> Outcome<Figures> {
    let caller = Arc::new(caller.clone());
    let (cpu, started) = (cpu_time()?, Instant::now());
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let caller = caller.clone();
            tokio::spawn(async move {
                let mut way = caller.way().await?;
                let mut took = Vec::with_capacity(1 << 16);
                while started.elapsed() < duration {
                    let sent = Instant::now();
                    call(&mut way).await?;
                    took.push(sent.elapsed());
                }
                Outcome::Ok(took)
            })
        })
        .collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await??);
    }
    let (cpu, elapsed) = (cpu_time()?.saturating_sub(cpu), started.elapsed());
    took.sort_unstable();
    let at = |percent: usize| took.get(took.len() * percent / 100).map_or(0.0, |time| time.as_nanos() as f64 / 1000.0);
    Ok(Figures {
        per_second: took.len() as f64 / elapsed.as_secs_f64(),
        p50_us: at(50),
        p99_us: at(99),
        cpu_us: cpu.as_nanos() as f64 / 1000.0 / took.len().max(1) as f64,
    })
}
