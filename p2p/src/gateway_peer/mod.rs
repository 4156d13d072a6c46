//! A gateway on the network: it listens, learns what nodes offer, and sends them requests.

mod parts;

use std::sync::Arc;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use parts::Parts;

use crate::admission::{self, Admissions, OpenToAll};
use crate::control::{ControlTimings, Offences, Rules};
use crate::directory::Directory;
use crate::http::{Client, ClientConfig, Routes};
use crate::identity::Identity;
use crate::links::{Neighbours, peer_gateways};
use crate::network::{self, DhtConfig, DhtRole, IDLE_TIMEOUT, Network, NetworkConfig, StartError};
use crate::roster::Roster;
use crate::streams::{CONTROL, GATEWAYS, RELAY, StreamLimits};

/// Streams that a peer gateway may have open towards this one: it asks for many nodes over one connection.
const RELAYED_PER_GATEWAY: usize = 1792;
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
    /// Gateways that share nodes with this one, each by an address that ends in `/p2p/` and its peer id, or by these alone
    /// where it dials us. Either side must name the other. At most 16.
    pub peer_gateways: Vec<Multiaddr>,
    /// Peers of the DHT through which this gateway makes itself known, each ending in `/p2p/…`. At most 16. Peer gateways
    /// are taken for such, too.
    pub bootstraps: Vec<Multiaddr>,
    /// Where others are told to dial this gateway. None: where it listens.
    pub announce: Vec<Multiaddr>,
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
            peer_gateways: Vec::new(),
            bootstraps: Vec::new(),
            announce: Vec::new(),
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
    pub(crate) network: Network,
    directory: Directory,
    client: Client,
    stop: CancellationToken,
    tasks: parking_lot::Mutex<Vec<JoinHandle<()>>>,
}

impl GatewayPeer {
    /// Starts a gateway that takes every node. It is listening on every address when this returns.
    ///
    /// # Errors
    /// `StartError` naming the address where listening is not possible, or what is wrong with the configuration.
    pub async fn start(identity: Identity, config: GatewayPeerConfig) -> Result<Self, StartError> {
        Self::start_admitting(identity, config, admission::always(OpenToAll)).await
    }

    /// As [`start`](Self::start), with rules for who may be a node.
    ///
    /// # Errors
    /// As there.
    pub async fn start_admitting(
        identity: Identity,
        config: GatewayPeerConfig,
        admissions: Admissions,
    ) -> Result<Self, StartError> {
        if config.listen.is_empty() {
            return Err(StartError::NoAddress);
        }
        StartError::unless_few(&config.other_gateways)?;
        let peer_id = identity.peer_id();
        let peer_gateways = peer_gateways(&config.peer_gateways, peer_id)?;
        let named =
            peer_gateways.iter().flat_map(|(peer, addresses)| addresses.iter().map(|address| (*peer, address.clone())));
        let bootstraps = network::bootstraps(&config.bootstraps)?.into_iter().chain(named).collect();
        let (linked, mut streams) = (!peer_gateways.is_empty(), config.streams);
        if linked {
            streams.max_inbound_per_peer = streams.max_inbound_per_peer.max(RELAYED_PER_GATEWAY);
        }
        let link_protocols = if linked { &[GATEWAYS, RELAY][..] } else { &[] };
        let network_config = NetworkConfig {
            listen: config.listen,
            mdns: config.mdns,
            announce: config.announce,
            dht: Some(DhtConfig { role: DhtRole::Server, bootstraps }),
            max_connections: config.max_connections,
            resolver: None,
            idle_timeout: IDLE_TIMEOUT,
            streams,
            protocols: [&[CONTROL], link_protocols].concat(),
        };
        let started = network::start(&identity, network_config).await?;
        let directory = Directory::new(config.max_nodes);
        let neighbours = Neighbours::new(config.other_gateways.iter().map(Multiaddr::to_string).collect());
        let rules = Arc::new(Rules {
            timings: config.control,
            max_price: config.max_price,
            admissions,
            other_gateways: neighbours.told(),
            roster: linked.then(Roster::default),
        });
        let parts = Parts {
            network: started.network.clone(),
            streams: started.streams.clone(),
            directory: directory.clone(),
            offences: Arc::new(Offences::default()),
            stop: CancellationToken::new(),
            neighbours,
            rules,
        };
        let mut tasks = vec![started.task];
        let mut inbound = started.inbound.into_iter();
        tasks.extend(inbound.next().map(|control| parts.take_nodes(control, config.max_connections)));
        if let (Some(links), Some(relays)) = (inbound.next(), inbound.next()) {
            tasks.extend(parts.link(peer_gateways, links, relays));
        }
        tasks.push(parts.provide());
        let routes = Routes { streams: started.streams, directory: directory.clone() };
        Ok(Self {
            peer_id,
            client: Client::new(routes, config.client),
            network: started.network,
            directory,
            stop: parts.stop,
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
