//! A node on the network: it dials gateways, tells them what it offers, and serves their requests.
//!
//! A node listens nowhere. One task, a keeper, stands for each gateway that is known; at most three of them are
//! connected at a time and the others wait for a place.

mod addresses;
mod keeper;
mod seeker;
mod status;
mod targets;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::clock;
use crate::control::ControlTimings;
use crate::http::{ConnectionService, Server, ServerConfig};
use crate::identity::Identity;
use crate::network::{self, DhtConfig, DhtRole, IDLE_TIMEOUT, Network, NetworkConfig, StartError};
use crate::offer::{Load, Offer};
use crate::streams::{HTTP, StreamLimits};

use keeper::Keeping;
use status::StatusBoard;
pub use status::{GatewayStatus, NodeStatus, Refusal};
use targets::Targets;

/// Connections of a node: its gateways, and those that it finds not to be any.
const MAX_CONNECTIONS: usize = 64;
/// Time for gateways to say that they send nothing more.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Time for the swarm to close its connections.
const STOPPING: Duration = Duration::from_secs(2);

/// How a node finds gateways and serves them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePeerConfig {
    /// Gateways to dial, with or without `/p2p/…` at the end. With it nobody else can pose as the gateway. At most 16.
    pub gateways: Vec<Multiaddr>,
    /// Peers of the DHT in which to look for gateways, each ending in `/p2p/…`. At most 16. None: it is not used.
    pub bootstraps: Vec<Multiaddr>,
    /// Whether to look for gateways on the local network.
    pub mdns: bool,
    /// Where to listen. A node needs no address: gateways send requests over the connection that it dialled.
    pub listen: Vec<Multiaddr>,
    /// Gateways that it stays connected to at a time.
    pub max_gateways: usize,
    /// Bounds on streams.
    pub streams: StreamLimits,
    /// Bounds on serving.
    pub server: ServerConfig,
    /// When things are said on control streams.
    pub control: ControlTimings,
}

impl Default for NodePeerConfig {
    fn default() -> Self {
        Self {
            gateways: Vec::new(),
            bootstraps: Vec::new(),
            mdns: false,
            listen: Vec::new(),
            max_gateways: 3,
            streams: StreamLimits::default(),
            server: ServerConfig::default(),
            control: ControlTimings::default(),
        }
    }
}

/// A running node. Dropping it stops it abruptly.
#[derive(Debug)]
pub struct NodePeer {
    peer_id: PeerId,
    network: Network,
    status: watch::Receiver<NodeStatus>,
    draining: watch::Sender<bool>,
    /// Ends the control sessions and the search for gateways.
    leave: CancellationToken,
    /// Ends the serving of requests.
    stop_serving: CancellationToken,
    server: JoinHandle<()>,
    swarm: JoinHandle<()>,
    targets: JoinHandle<()>,
}

impl NodePeer {
    /// Starts a node. It dials in the background and goes on trying; see [`status`](Self::status).
    ///
    /// `offer` and `load` are read whenever they change; keep their senders. `service` answers requests: a hyper service,
    /// such as `hyper::service::service_fn` makes of a closure. Dropping the future of a request, or the body of its
    /// answer, must stop the work: that is how a caller who leaves is noticed.
    ///
    /// # Errors
    /// `StartError` where there is no way to find a gateway, the offer breaks a bound, or an address cannot be listened
    /// on.
    pub async fn start<S, B>(
        identity: Identity,
        config: NodePeerConfig,
        offer: watch::Receiver<Offer>,
        load: watch::Receiver<Load>,
        service: S,
    ) -> Result<Self, StartError>
    where
        S: hyper::service::Service<http::Request<hyper::body::Incoming>, Response = http::Response<B>>,
        S: Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<crate::BoxError>,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<crate::BoxError>,
    {
        Self::start_service(identity, config, offer, load, service).await
    }

    async fn start_service(
        identity: Identity,
        config: NodePeerConfig,
        offer: watch::Receiver<Offer>,
        load: watch::Receiver<Load>,
        service: impl ConnectionService,
    ) -> Result<Self, StartError> {
        if config.gateways.is_empty() && config.bootstraps.is_empty() && !config.mdns {
            return Err(StartError::NoGateway);
        }
        StartError::unless_few(&config.gateways)?;
        let bootstraps = network::bootstraps(&config.bootstraps)?;
        let seeks = !bootstraps.is_empty();
        offer.borrow().check(i64::MAX)?;
        let network_config = NetworkConfig {
            listen: config.listen,
            mdns: config.mdns,
            announce: Vec::new(),
            dht: seeks.then_some(DhtConfig { role: DhtRole::Client, bootstraps }),
            max_connections: MAX_CONNECTIONS,
            resolver: None,
            idle_timeout: IDLE_TIMEOUT,
            streams: config.streams,
            protocols: vec![HTTP],
        };
        let mut started = network::start(&identity, network_config).await?;
        let (leave, stop_serving) = (CancellationToken::new(), CancellationToken::new());
        let server = Server { service, config: config.server };
        let server = match started.inbound.pop() {
            Some(inbound) => tokio::spawn(server.run(inbound, stop_serving.clone())),
            None => tokio::spawn(std::future::ready(())),
        };
        let board = StatusBoard::default();
        let draining = watch::Sender::new(false);
        let peer_id = identity.peer_id();
        let keeping = Arc::new(Keeping {
            network: started.network.clone(),
            streams: started.streams,
            identity,
            seq: AtomicU64::new(clock::unix_ms()),
            timings: config.control,
            offer,
            load,
            draining: draining.subscribe(),
            board: board.clone(),
            places: tokio::sync::Semaphore::new(config.max_gateways.max(1)),
        });
        let targets = Targets::new(keeping, config.gateways);
        let seeker = seeks.then(|| seeker::seek(started.network.clone(), board.clone(), config.max_gateways.max(1)));
        let seeker = leave.clone().run_until_cancelled_owned(async move {
            if let Some(seeker) = seeker {
                seeker.await;
            }
        });
        tokio::spawn(seeker);
        let targets = tokio::spawn(targets.run(started.findings, leave.clone()));
        Ok(Self {
            peer_id,
            network: started.network,
            status: board.watch(),
            draining,
            leave,
            stop_serving,
            server,
            swarm: started.task,
            targets,
        })
    }

    /// Who this node is.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Which gateways are connected and what they say. Changes as they come and go.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<NodeStatus> {
        self.status.clone()
    }

    /// Withdraws the advert: gateways send no new requests. Returns when all connected ones have said so, or after two
    /// seconds. Requests that run go on.
    pub async fn drain(&self) {
        self.draining.send_replace(true);
        let mut status = self.status.clone();
        let drained = status.wait_for(|status| status.gateways.iter().all(|gateway| gateway.drained));
        match timeout(DRAIN_TIMEOUT, drained).await {
            Ok(_) => info!("drained; gateways send no new requests"),
            Err(_) => info!("not every gateway answered that it sends no new requests"),
        }
    }

    /// Takes no further requests, lets those that run finish for at most `limit`, then cuts off the rest and leaves the
    /// network. Call [`drain`](Self::drain) before, or requests that were just sent fail.
    pub async fn shutdown(mut self, limit: Duration) {
        self.draining.send_replace(true);
        self.stop_serving.cancel();
        if timeout(limit, &mut self.server).await.is_err() {
            info!(limit_s = limit.as_secs_f64(), "requests still ran at the limit; they are cut off");
            self.server.abort();
        }
        self.leave.cancel();
        // They end at once; where they do not, dropping this cuts them off.
        let _ = timeout(STOPPING, &mut self.targets).await;
        self.network.stop().await;
        let _ = timeout(STOPPING, &mut self.swarm).await;
    }
}

impl Drop for NodePeer {
    fn drop(&mut self) {
        let tasks: [AbortHandle; 3] =
            [self.server.abort_handle(), self.swarm.abort_handle(), self.targets.abort_handle()];
        tasks.iter().for_each(AbortHandle::abort);
    }
}
