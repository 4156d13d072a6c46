//! A gateway on the network: it listens, learns what nodes offer, and sends them requests.

use std::sync::Arc;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::control::{Acceptor, ControlTimings, Offences, Rules};
use crate::directory::Directory;
use crate::http::{Client, ClientConfig};
use crate::identity::Identity;
use crate::network::{self, Network, NetworkConfig, StartError};
use crate::streams::{CONTROL, StreamLimits};

/// Time for the parts to stop.
const STOPPING: Duration = Duration::from_secs(5);

/// How a gateway meets nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayPeerConfig {
    /// Where to listen. At least one address.
    pub listen: Vec<Multiaddr>,
    /// Whether nodes on the local network find this gateway by mDNS.
    pub mdns: bool,
    /// Nodes in the directory; further ones are refused.
    pub max_nodes: usize,
    /// Connections at a time; further ones are refused.
    pub max_connections: usize,
    /// The highest price of any kind that an advert may ask, in nano-USD per million tokens.
    pub max_price: i64,
    /// Other gateways, of which nodes are told. At most 16.
    pub other_gateways: Vec<Multiaddr>,
    /// Bounds on streams.
    pub streams: StreamLimits,
    /// How streams for requests are kept.
    pub client: ClientConfig,
    /// When things are said on control streams.
    pub control: ControlTimings,
}

impl Default for GatewayPeerConfig {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            mdns: false,
            max_nodes: 10_000,
            max_connections: 12_000,
            // 1000 USD per million tokens, several times what the dearest models cost anywhere.
            max_price: 1_000_000_000_000,
            other_gateways: Vec::new(),
            streams: StreamLimits::default(),
            client: ClientConfig::default(),
            control: ControlTimings::default(),
        }
    }
}

/// A running gateway. Dropping it stops it abruptly; [`shutdown`](Self::shutdown) says goodbye.
#[derive(Debug)]
pub struct GatewayPeer {
    peer_id: PeerId,
    network: Network,
    directory: Directory,
    client: Client,
    stop: CancellationToken,
    tasks: parking_lot::Mutex<Vec<JoinHandle<()>>>,
}

impl GatewayPeer {
    /// Starts a gateway. It is listening on every address when this returns.
    ///
    /// # Errors
    /// `StartError` naming the address where listening is not possible.
    pub async fn start(identity: Identity, config: GatewayPeerConfig) -> Result<Self, StartError> {
        if config.listen.is_empty() {
            return Err(StartError::NoAddress);
        }
        StartError::unless_few(&config.other_gateways)?;
        let network_config = NetworkConfig {
            listen: config.listen,
            mdns: config.mdns,
            max_connections: config.max_connections,
            streams: config.streams,
            protocols: vec![CONTROL],
        };
        let mut started = network::start(&identity, network_config).await?;
        let directory = Directory::new(config.max_nodes);
        let stop = CancellationToken::new();
        let mut tasks = vec![started.task];
        if let Some(inbound) = started.inbound.pop() {
            let acceptor = Acceptor {
                network: started.network.clone(),
                directory: directory.clone(),
                rules: Arc::new(Rules {
                    timings: config.control,
                    max_price: config.max_price,
                    other_gateways: config.other_gateways.iter().map(Multiaddr::to_string).collect(),
                }),
                offences: Arc::new(Offences::default()),
                max_sessions: config.max_connections,
            };
            tasks.push(tokio::spawn(acceptor.run(inbound, stop.clone())));
        }
        Ok(Self {
            peer_id: identity.peer_id(),
            client: Client::new(started.streams, config.client),
            network: started.network,
            directory,
            stop,
            tasks: parking_lot::Mutex::new(tasks),
        })
    }

    /// Who this gateway is.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Where it can be dialled, each ending in `/p2p/` and its peer id. Changes where the machine's own addresses do.
    #[must_use]
    pub fn addresses(&self) -> Vec<Multiaddr> {
        self.network.addresses()
    }

    /// The nodes there are.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Sends requests to nodes.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Takes no further nodes, closes all connections and frees the ports; a QUIC port only when its connections have
    /// drained, which takes a moment longer, or when the process ends. Requests that are under way are cut off; let
    /// them end first.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.network.stop().await;
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            // What has not stopped by then is cut off when the process ends.
            let _ = timeout(STOPPING, task).await;
        }
    }
}

impl Drop for GatewayPeer {
    fn drop(&mut self) {
        self.stop.cancel();
        for task in self.tasks.lock().drain(..) {
            task.abort();
        }
    }
}
