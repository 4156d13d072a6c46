//! What the hop adds to answers that stream, against plain TCP.
//!
//! A thousand answers at a time, each of 50 frames a second of 250 bytes, as tokens come. A frame carries the time at
//! which its server gave it to hyper, on the clock that both processes share; how late it is, is told from when the client
//! has all of it. What does not come at the pace shows as fewer frames a second. The client's processor time is that of
//! all its threads, swarm included.
//!
//! `STREAM_SECONDS` sets how long each line is measured (default 10), `STREAM_COUNT` how many answers (default 1000, at
//! most 1500). Plain TCP needs a file open for each of them on either side.

mod two_processes;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use peerway_p2p::BoxError;
use tokio::task::JoinSet;
use tokio::time::{Interval, interval_at};

use two_processes::{Caller, Outcome, Running, WAYS, Way, cpu_time};

const FRAME: usize = 250;
const PERIOD_MS: u64 = 20;
/// From when all streams are open until it is measured: what piled up meanwhile is read.
const WARM_UP: Duration = Duration::from_secs(1);

fn main() -> Outcome<()> {
    two_processes::run(service_fn(answer), measure())
}

/// Nanoseconds of the clock that all processes of this machine share. They last until 2554.
fn now_ns() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

async fn answer(_: Request<Incoming>) -> Result<Response<Paced>, Infallible> {
    Ok(Response::new(Paced::new()))
}

/// An answer without an end, a frame a period.
struct Paced(Interval);

impl Paced {
    /// Streams take turns over the period, so that their frames do not all come at once.
    fn new() -> Self {
        static STREAMS: AtomicU64 = AtomicU64::new(0);
        let turn = Duration::from_millis(STREAMS.fetch_add(1, Ordering::Relaxed) % PERIOD_MS);
        Self(interval_at(tokio::time::Instant::now() + turn, Duration::from_millis(PERIOD_MS)))
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.0.poll_tick(context));
        let mut frame = BytesMut::zeroed(FRAME);
        frame[..8].copy_from_slice(&now_ns().to_be_bytes());
        Poll::Ready(Some(Ok(Frame::data(frame.freeze()))))
    }
}

/// An answer that has begun.
struct Open {
    body: UnsyncBoxBody<Bytes, BoxError>,
    /// Plain TCP's connection is this one's own.
    _way: Way,
}

async fn open(caller: Caller) -> Outcome<Open> {
    let mut way = caller.way().await?;
    let request = Request::get("/v1/x").header("host", "peer").body(Full::new(Bytes::new()))?;
    let body = match &mut way {
        Way::Tcp(sender) => sender.send_request(request).await?.into_body().map_err(BoxError::from).boxed_unsync(),
        Way::Peer(client, peer) => {
            client.send(*peer, request).await?.into_body().map_err(BoxError::from).boxed_unsync()
        }
    };
    Ok(Open { body, _way: way })
}

/// Reads frames until the end, and tells how late those were that came after the begin, in nanoseconds.
async fn read(mut open: Open, begin: Instant, end: Instant) -> Outcome<Vec<u64>> {
    let (mut late, mut rest) = (Vec::new(), BytesMut::new());
    while Instant::now() < end {
        let frame = open.body.frame().await.ok_or("an answer ended")??;
        let Ok(data) = frame.into_data() else { continue };
        rest.extend_from_slice(&data);
        while rest.len() >= FRAME {
            let sent = u64::from_be_bytes(rest.split_to(FRAME)[..8].try_into()?);
            if Instant::now() >= begin {
                late.push(now_ns().saturating_sub(sent));
            }
        }
    }
    Ok(late)
}

fn setting(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

async fn measure() -> Outcome<()> {
    let (count, seconds) = (setting("STREAM_COUNT", 1000), setting("STREAM_SECONDS", 10));
    println!("{count} answers, {} frames a second and {FRAME} bytes a frame each", 1000 / PERIOD_MS);
    println!(
        "{:<14} {:>9} {:>9} {:>9} {:>14} {:>13} {:>12}",
        "way", "frames/s", "p50 µs", "p99 µs", "p99 added µs", "CPU µs/frame", "× plain TCP"
    );
    let mut plain: Option<Figures> = None;
    for (name, listen) in WAYS {
        let server = Running::start(listen).await?;
        let figures = run(&server.caller, count, Duration::from_secs(seconds as u64)).await?;
        let base = plain.get_or_insert(figures);
        println!(
            "{name:<14} {:>9.0} {:>9.1} {:>9.1} {:>14.1} {:>13.2} {:>12.2}",
            figures.per_second,
            figures.p50_us,
            figures.p99_us,
            figures.p99_us - base.p99_us,
            figures.cpu_us,
            figures.cpu_us / base.cpu_us
        );
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Figures {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds of a few seconds are far below 2^53")]
async fn run(caller: &Caller, count: usize, duration: Duration) -> Outcome<Figures> {
    let mut opening: JoinSet<_> = (0..count).map(|_| open(caller.clone())).collect();
    let mut answers = Vec::with_capacity(count);
    while let Some(answer) = opening.join_next().await {
        answers.push(answer??);
    }
    let begin = Instant::now() + WARM_UP;
    let mut reading: JoinSet<_> = answers.into_iter().map(|answer| read(answer, begin, begin + duration)).collect();
    tokio::time::sleep_until(begin.into()).await;
    let cpu = cpu_time()?;
    tokio::time::sleep_until((begin + duration).into()).await;
    let cpu = cpu_time()?.saturating_sub(cpu);
    let mut late = Vec::new();
    while let Some(of_one) = reading.join_next().await {
        late.extend(of_one??);
    }
    late.sort_unstable();
    let at = |percent: usize| late.get(late.len() * percent / 100).map_or(0.0, |ns| *ns as f64 / 1000.0);
    Ok(Figures {
        per_second: late.len() as f64 / duration.as_secs_f64(),
        p50_us: at(50),
        p99_us: at(99),
        cpu_us: cpu.as_nanos() as f64 / 1000.0 / late.len().max(1) as f64,
    })
}
