//! What one hop over libp2p costs, against plain TCP.
//!
//! Client and server are two processes on the loopback interface: this program starts itself again as the server. A
//! request has 300 bytes of body, its answer 400; both sides read and write all of it with hyper. The client's processor
//! time is that of all its threads, swarm included. `HOP_SECONDS` sets how long each line is measured (default 3).

use std::convert::Infallible;
use std::error::Error;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use peerway_p2p::{
    Client, GatewayPeer, GatewayPeerConfig, Identity, Load, NodePeer, NodePeerConfig, Offer, PeerId, parse_multiaddr,
};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Tells a process that it is the server: `tcp`, or the gateway's address.
const ROLE: &str = "PEERWAY_HOP_SERVER";
const REQUEST: [u8; 300] = [b'q'; 300];
const ANSWER: [u8; 400] = [b'a'; 400];
const CALLERS: [usize; 2] = [1, 64];

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match std::env::var(ROLE) {
        Ok(role) if role == "tcp" => runtime.block_on(serve_tcp()),
        Ok(address) => runtime.block_on(serve_node(&address)),
        Err(_) => runtime.block_on(measure()),
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let read = request.into_body().collect().await.map_or(0, |body| body.to_bytes().len());
    let body = if read == REQUEST.len() { Bytes::from_static(&ANSWER) } else { Bytes::new() };
    Ok(Response::new(Full::new(body)))
}

/// Prints its address, serves until it is killed.
async fn serve_tcp() -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let serving = hyper::server::conn::http1::Builder::new();
        tokio::spawn(serving.serve_connection(TokioIo::new(stream), service_fn(answer)));
    }
}

/// Serves the gateway at this address until it is killed.
async fn serve_node(address: &str) -> Outcome<()> {
    let identity = Identity::generate();
    println!("{}", identity.peer_id());
    let config = NodePeerConfig { gateways: vec![parse_multiaddr(address)?], ..NodePeerConfig::default() };
    let (_offer, offers) = watch::channel(Offer { slots: 64, ..Offer::default() });
    let (_load, loads) = watch::channel(Load::default());
    let _node = NodePeer::start(identity, config, offers, loads, service_fn(answer)).await?;
    std::future::pending().await
}

async fn start_server(role: &str) -> Outcome<(Child, String)> {
    let mut server =
        Command::new(std::env::current_exe()?).env(ROLE, role).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let output = server.stdout.take().ok_or("the server has no output")?;
    let line = BufReader::new(output).lines().next_line().await?.ok_or("the server did not start")?;
    Ok((server, line))
}

/// Something to send requests with, over connections that stay open.
#[derive(Clone)]
enum Caller {
    Tcp(String),
    Peer(Client, PeerId),
}

/// One caller's way to the server.
enum Way {
    Tcp(hyper::client::conn::http1::SendRequest<Full<Bytes>>),
    Peer(Client, PeerId),
}

impl Caller {
    async fn way(&self) -> Outcome<Way> {
        match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                Ok(Way::Tcp(sender))
            }
            Self::Peer(client, peer) => Ok(Way::Peer(client.clone(), *peer)),
        }
    }
}

impl Way {
    async fn call(&mut self) -> Outcome<()> {
        let request = Request::post("/v1/x").header("host", "peer").body(Full::new(Bytes::from_static(&REQUEST)))?;
        let answered = match self {
            Self::Tcp(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?.into_body().collect().await?.to_bytes()
            }
            Self::Peer(client, peer) => client.send(*peer, request).await?.into_body().collect().await?.to_bytes(),
        };
        if answered.len() == ANSWER.len() { Ok(()) } else { Err("a wrong answer".into()) }
    }
}

async fn measure() -> Outcome<()> {
    let seconds = std::env::var("HOP_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    println!(
        "{:<14} {:>7} {:>10} {:>9} {:>9} {:>9} {:>12}",
        "way", "callers", "requests/s", "p50 µs", "p99 µs", "CPU µs", "× plain TCP"
    );
    let mut plain = [0.0; CALLERS.len()];
    for (name, listen) in [
        ("plain TCP", None),
        ("yamux TCP", Some("/ip4/127.0.0.1/tcp/0")),
        ("QUIC", Some("/ip4/127.0.0.1/udp/0/quic-v1")),
    ] {
        let (_server, _gateway, caller) = match listen {
            None => {
                let (server, address) = start_server("tcp").await?;
                (server, None, Caller::Tcp(address))
            }
            Some(listen) => {
                let config =
                    GatewayPeerConfig { listen: vec![parse_multiaddr(listen)?], ..GatewayPeerConfig::default() };
                let gateway = GatewayPeer::start(Identity::generate(), config).await?;
                let address = gateway.addresses().first().ok_or("the gateway has no address")?.to_string();
                let (server, peer) = start_server(&address).await?;
                let peer: PeerId = peer.parse()?;
                let mut versions = gateway.directory().versions();
                versions.wait_for(|_| gateway.directory().snapshot().node(peer).is_some()).await?;
                let caller = Caller::Peer(gateway.client().clone(), peer);
                (server, Some(gateway), caller)
            }
        };
        for (index, callers) in CALLERS.into_iter().enumerate() {
            run(&caller, callers, Duration::from_millis(500)).await?;
            let figures = run(&caller, callers, Duration::from_secs(seconds)).await?;
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
                    way.call().await?;
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

/// The processor time of all threads of this process, to the nanosecond. Threads that have ended are not in it; the
/// runtime's live as long as this program.
fn cpu_time() -> Outcome<Duration> {
    let mut total = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        total += text.split_whitespace().next().ok_or("no schedstat")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(total))
}
