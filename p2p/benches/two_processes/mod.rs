//! Two processes on the loopback interface: a program that measures, and the server that it starts from itself.
//!
//! The server answers over plain TCP, or is a node that dials the gateway in the measuring process.

use std::convert::Infallible;
use std::error::Error;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use peerway_p2p::{
    BoxError, Client, ClientConfig, GatewayPeer, GatewayPeerConfig, Identity, Load, NodePeer, NodePeerConfig, Offer,
    PeerId, StreamLimits, parse_multiaddr,
};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Each way by its name and where the gateway listens; the first is that to which the others are compared.
pub(crate) const WAYS: [(&str, Option<&str>); 3] =
    [("plain TCP", None), ("yamux TCP", Some("/ip4/127.0.0.1/tcp/0")), ("QUIC", Some("/ip4/127.0.0.1/udp/0/quic-v1"))];

/// Tells a process that it is the server: `tcp`, or the gateway's address.
const ROLE: &str = "PEERWAY_HOP_SERVER";
/// More than any of these benches has open at a time.
const STREAMS: usize = 1500;

/// Runs this process in its role: it serves until it is killed, or it measures.
pub(crate) fn run<S, B>(service: S, measure: impl Future<Output = Outcome<()>>) -> Outcome<()>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match std::env::var(ROLE) {
        Ok(role) if role == "tcp" => runtime.block_on(serve_tcp(service)),
        Ok(address) => runtime.block_on(serve_node(&address, service)),
        Err(_) => runtime.block_on(measure),
    }
}

/// Prints its address, serves until it is killed.
async fn serve_tcp<S, B>(service: S) -> Outcome<()>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let serving = hyper::server::conn::http1::Builder::new();
        tokio::spawn(serving.serve_connection(TokioIo::new(stream), service.clone()));
    }
}

/// Serves the gateway at this address until it is killed.
async fn serve_node<S, B>(address: &str, service: S) -> Outcome<()>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let identity = Identity::generate();
    println!("{}", identity.peer_id());
    let config =
        NodePeerConfig { gateways: vec![parse_multiaddr(address)?], streams: limits(), ..NodePeerConfig::default() };
    let (_offer, offers) = watch::channel(Offer { slots: 64, ..Offer::default() });
    let (_load, loads) = watch::channel(Load::default());
    let _node = NodePeer::start(identity, config, offers, loads, service).await?;
    std::future::pending().await
}

fn limits() -> StreamLimits {
    StreamLimits { max_inbound_per_peer: STREAMS, ..StreamLimits::default() }
}

async fn start_server(role: &str) -> Outcome<(Child, String)> {
    let mut server =
        Command::new(std::env::current_exe()?).env(ROLE, role).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let output = server.stdout.take().ok_or("the server has no output")?;
    let line = BufReader::new(output).lines().next_line().await?.ok_or("the server did not start")?;
    Ok((server, line))
}

/// A server that runs, and how it is reached.
pub(crate) struct Running {
    pub(crate) caller: Caller,
    _server: Child,
    _gateway: Option<GatewayPeer>,
}

impl Running {
    /// Starts the server, and the gateway that it dials if this listens somewhere.
    pub(crate) async fn start(listen: Option<&str>) -> Outcome<Self> {
        let Some(listen) = listen else {
            let (server, address) = start_server("tcp").await?;
            return Ok(Self { caller: Caller::Tcp(address), _server: server, _gateway: None });
        };
        let config = GatewayPeerConfig {
            listen: vec![parse_multiaddr(listen)?],
            streams: limits(),
            client: ClientConfig { max_streams_per_peer: STREAMS, ..ClientConfig::default() },
            ..GatewayPeerConfig::default()
        };
        let gateway = GatewayPeer::start(Identity::generate(), config).await?;
        let address = gateway.addresses().first().ok_or("the gateway has no address")?.to_string();
        let (server, peer) = start_server(&address).await?;
        let peer: PeerId = peer.parse()?;
        let mut versions = gateway.directory().versions();
        versions.wait_for(|_| gateway.directory().snapshot().node(peer).is_some()).await?;
        let caller = Caller::Peer(gateway.client().clone(), peer);
        Ok(Self { caller, _server: server, _gateway: Some(gateway) })
    }
}

/// Something to send requests with, over connections that stay open.
#[derive(Clone)]
pub(crate) enum Caller {
    Tcp(String),
    Peer(Client, PeerId),
}

/// One caller's way to the server.
pub(crate) enum Way {
    Tcp(hyper::client::conn::http1::SendRequest<Full<Bytes>>),
    Peer(Client, PeerId),
}

impl Caller {
    pub(crate) async fn way(&self) -> Outcome<Way> {
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

/// The processor time of all threads of this process, to the nanosecond. Threads that have ended are not in it; the
/// runtime's live as long as this program.
pub(crate) fn cpu_time() -> Outcome<Duration> {
    let mut total = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        total += text.split_whitespace().next().ok_or("no schedstat")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(total))
}
