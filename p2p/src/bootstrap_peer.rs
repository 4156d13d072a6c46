//! A peer that only serves the DHT: where gateways make themselves known and nodes find them.

use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::identity::Identity;
use crate::network::{self, DhtConfig, DhtRole, IDLE_TIMEOUT, Network, NetworkConfig, StartError};
use crate::streams::StreamLimits;

/// Time for the swarm to stop.
const STOPPING: Duration = Duration::from_secs(5);

/// How a bootstrap is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapPeerConfig {
    /// Where to listen. At least one address.
    pub listen: Vec<Multiaddr>,
    /// Other bootstraps, each ending in `/p2p/…`. At most 16.
    pub bootstraps: Vec<Multiaddr>,
    /// Connections at a time; further ones are refused.
    pub max_connections: usize,
    /// A connection on which nothing is asked is closed after this time.
    pub idle_timeout: Duration,
}

impl Default for BootstrapPeerConfig {
    fn default() -> Self {
        Self { listen: Vec::new(), bootstraps: Vec::new(), max_connections: 4096, idle_timeout: IDLE_TIMEOUT }
    }
}

/// A running bootstrap. Dropping it stops it abruptly.
#[derive(Debug)]
pub struct BootstrapPeer {
    peer_id: PeerId,
    pub(crate) network: Network,
    swarm: JoinHandle<()>,
}

impl BootstrapPeer {
    /// Starts a bootstrap. It is listening on every address when this returns.
    ///
    /// # Errors
    /// `StartError` naming the address.
    pub async fn start(identity: Identity, config: BootstrapPeerConfig) -> Result<Self, StartError> {
        if config.listen.is_empty() {
            return Err(StartError::NoAddress);
        }
        let dht = DhtConfig { role: DhtRole::Server, bootstraps: network::bootstraps(&config.bootstraps)? };
        let network_config = NetworkConfig {
            listen: config.listen,
            mdns: false,
            announce: Vec::new(),
            dht: Some(dht),
            max_connections: config.max_connections,
            resolver: None,
            idle_timeout: config.idle_timeout,
            streams: StreamLimits::default(),
            protocols: Vec::new(),
        };
        let started = network::start(&identity, network_config).await?;
        // A search fills the routing table with the others' gateways.
        started.network.search().await;
        Ok(Self { peer_id: identity.peer_id(), network: started.network, swarm: started.task })
    }

    /// Who it is.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Where it can be dialled, each ending in `/p2p/` and its peer id.
    #[must_use]
    pub fn addresses(&self) -> Vec<Multiaddr> {
        self.network.addresses()
    }

    /// Closes all connections and frees the ports.
    pub async fn shutdown(mut self) {
        self.network.stop().await;
        // What has not stopped by then is cut off when it is dropped.
        let _ = timeout(STOPPING, &mut self.swarm).await;
    }
}

impl Drop for BootstrapPeer {
    fn drop(&mut self) {
        self.swarm.abort();
    }
}
