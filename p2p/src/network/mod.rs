//! One libp2p swarm and the task that drives it.
//!
//! Everything that is said to the swarm goes through a short bounded queue, because a swarm can only be touched by its
//! own task; streams do not, because opening one must not wait behind dials and discovery.

mod announced;
mod behaviour;
mod blocked;
mod dht;
mod dial;
mod driver;
mod error;
mod limits;
mod listen;
mod throttle;
mod transport;

use std::time::Duration;

use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::{Multiaddr, PeerId, StreamProtocol, dns};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub(crate) use announced::Announced;
use dht::Dht;
pub(crate) use dht::{DhtConfig, DhtRole};
pub(crate) use dial::DialFailed;
use driver::{Command, Driver};
pub use error::StartError;
pub(crate) use error::bootstraps;

use crate::identity::Identity;
use crate::streams::{InboundStream, StreamLimits, Streams, streams};

/// A connection on which no stream is open is closed after this time. A node's control stream is always open.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Commands that wait for the swarm's task.
const MAX_COMMANDS: usize = 256;
/// Findings that wait to be looked at; more are dropped, and come again.
const MAX_FINDINGS: usize = 64;

/// What a swarm is made from.
#[derive(Debug, Clone)]
pub(crate) struct NetworkConfig {
    /// Where to listen. None of them: only dial.
    pub(crate) listen: Vec<Multiaddr>,
    /// Whether to look for peers, and to be found, on the local network.
    pub(crate) mdns: bool,
    /// Where others are told to dial this peer. None of them: where it listens.
    pub(crate) announce: Vec<Multiaddr>,
    /// How it takes part in the DHT. None: not at all.
    pub(crate) dht: Option<DhtConfig>,
    /// Connections at a time; further ones are refused.
    pub(crate) max_connections: usize,
    /// How names are resolved. None: as the system says.
    pub(crate) resolver: Option<dns::ResolverConfig>,
    /// A connection without streams is closed after this time.
    pub(crate) idle_timeout: Duration,
    /// Bounds on streams.
    pub(crate) streams: StreamLimits,
    /// The protocols whose streams are taken.
    pub(crate) protocols: Vec<StreamProtocol>,
}

impl NetworkConfig {
    /// A peer that listens nowhere.
    #[cfg(test)]
    pub(crate) fn dialling(streams: StreamLimits, protocols: Vec<StreamProtocol>) -> Self {
        Self {
            listen: Vec::new(),
            mdns: false,
            announce: Vec::new(),
            dht: None,
            max_connections: 8,
            resolver: None,
            idle_timeout: IDLE_TIMEOUT,
            streams,
            protocols,
        }
    }
}

/// What was seen on the local network, or found in the DHT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// A peer at an address.
    Found(PeerId, Multiaddr),
    /// It is not seen there any more.
    Lost(PeerId, Multiaddr),
}

/// A running swarm and its ends.
pub(crate) struct Started {
    pub(crate) network: Network,
    pub(crate) streams: Streams,
    /// Streams that peers opened, by protocol in the order of the configuration.
    pub(crate) inbound: Vec<mpsc::Receiver<InboundStream>>,
    /// Peers on the local network, and gateways of the DHT.
    pub(crate) findings: mpsc::Receiver<Finding>,
    /// Ends when the swarm has stopped.
    pub(crate) task: JoinHandle<()>,
}

/// Talks to a running swarm. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    commands: mpsc::Sender<Command>,
    addresses: watch::Receiver<Vec<Multiaddr>>,
    announced: Announced,
}

/// Starts a swarm. It is listening when this returns.
///
/// # Errors
/// `StartError` naming the address where listening is not possible.
pub(crate) async fn start(identity: &Identity, config: NetworkConfig) -> Result<Started, StartError> {
    let (streams, behaviour, inbound) = streams(config.streams, &config.protocols);
    let mut swarm = transport::swarm(identity, &config, behaviour)?;
    let addresses = listen::listen(&mut swarm, &config.listen).await?;
    let (commands, received) = mpsc::channel(MAX_COMMANDS);
    let (found, findings) = mpsc::channel(MAX_FINDINGS);
    let (address_sender, addresses) = watch::channel(addresses);
    let announced = Announced::new(&config.announce, identity.peer_id(), addresses.clone());
    let dht = Dht::new(config.dht);
    let driver = Driver::new(swarm, received, found, (address_sender, announced.clone()), dht);
    let task = tokio::spawn(driver.run());
    Ok(Started { network: Network { commands, addresses, announced }, streams, inbound, findings, task })
}

impl Network {
    /// Where this peer listens at the moment, ending in its `/p2p/…`.
    pub(crate) fn addresses(&self) -> Vec<Multiaddr> {
        self.addresses.borrow().clone()
    }

    /// Where others are told to dial this peer.
    pub(crate) fn announced(&self) -> &Announced {
        &self.announced
    }

    /// Peers that are connected.
    #[cfg(test)]
    pub(crate) async fn connected(&self) -> usize {
        let (reply, counted) = oneshot::channel();
        self.commands.send(Command::Connected(reply)).await.unwrap();
        counted.await.unwrap()
    }

    /// Tells the DHT that this peer is a gateway. Does nothing without a DHT.
    pub(crate) async fn provide(&self) {
        let _ = self.commands.send(Command::Provide).await;
    }

    /// Looks for gateways in the DHT. What is found comes as findings.
    pub(crate) async fn search(&self) {
        let _ = self.commands.send(Command::Search).await;
    }

    /// Connects to a peer: to a known one at any of these addresses, to an unknown one at the first.
    ///
    /// # Errors
    /// `DialFailed` in words.
    pub(crate) async fn dial(&self, peer: Option<PeerId>, addresses: Vec<Multiaddr>) -> Result<PeerId, DialFailed> {
        let dial = match (peer, addresses.into_iter()) {
            (Some(peer), addresses) => DialOpts::peer_id(peer).addresses(addresses.collect()).build(),
            (None, mut addresses) => match addresses.next() {
                Some(address) => DialOpts::unknown_peer_id().address(address).build(),
                None => return Err(DialFailed::NoAddress),
            },
        };
        let (reply, connected) = oneshot::channel();
        self.commands.send(Command::Dial { dial, reply }).await.map_err(|_| DialFailed::Stopped)?;
        connected.await.unwrap_or(Err(DialFailed::Stopped))
    }

    /// Closes one connection. Does nothing where it is closed already.
    pub(crate) async fn close(&self, connection: ConnectionId) {
        // A swarm that has stopped has no connections.
        let _ = self.commands.send(Command::Close(connection)).await;
    }

    /// Closes all connections of a peer.
    pub(crate) async fn disconnect(&self, peer: PeerId) {
        let _ = self.commands.send(Command::Disconnect(peer)).await;
    }

    /// Closes all connections of a peer and takes none from it for a while.
    pub(crate) async fn block(&self, peer: PeerId, duration: Duration) {
        let _ = self.commands.send(Command::Block(peer, duration)).await;
    }

    /// Closes all connections and stops listening. The swarm's task ends then.
    pub(crate) async fn stop(&self) {
        let _ = self.commands.send(Command::Stop).await;
    }
}
