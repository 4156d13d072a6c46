//! The task that owns the swarm.

use std::time::Duration;

use futures::StreamExt;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, mdns};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{debug, info, warn};

use super::behaviour::{Behaviour, BehaviourEvent};
use super::blocked::Blocked;
use super::dht::Dht;
use super::dial::{DialFailed, Dials};
use super::{Announced, Finding, throttle};
use crate::address::with_peer;

/// How often blocks are looked over for those that have ended.
const BLOCKS_REVIEWED: Duration = Duration::from_secs(5);
/// Time for connections to close when the swarm stops.
const CLOSING: Duration = Duration::from_millis(500);

/// What the swarm is told.
#[derive(Debug)]
pub(super) enum Command {
    Dial {
        dial: DialOpts,
        reply: oneshot::Sender<Result<PeerId, DialFailed>>,
    },
    Close(ConnectionId),
    Disconnect(PeerId),
    Block(PeerId, Duration),
    Provide,
    #[cfg(test)]
    Connected(oneshot::Sender<usize>),
    Search,
    Stop,
}

/// Owns the swarm until it stops.
pub(super) struct Driver {
    swarm: Swarm<Behaviour>,
    commands: mpsc::Receiver<Command>,
    findings: mpsc::Sender<Finding>,
    addresses: watch::Sender<Vec<Multiaddr>>,
    announced: Announced,
    dht: Dht,
    dials: Dials,
    blocked: Blocked,
}

impl Driver {
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        commands: mpsc::Receiver<Command>,
        findings: mpsc::Sender<Finding>,
        (addresses, announced): (watch::Sender<Vec<Multiaddr>>, Announced),
        dht: Dht,
    ) -> Self {
        let (dials, blocked) = (Dials::default(), Blocked::default());
        let mut driver = Self { swarm, commands, findings, addresses, announced, dht, dials, blocked };
        driver.announce();
        driver
    }

    /// What the DHT tells of this peer are the swarm's external addresses.
    fn announce(&mut self) {
        let (now, before) = (self.announced.now(), self.swarm.external_addresses().cloned().collect::<Vec<_>>());
        before.iter().filter(|address| !now.contains(address)).for_each(|address| {
            self.swarm.remove_external_address(address);
        });
        now.into_iter().filter(|address| !before.contains(address)).for_each(|address| {
            self.swarm.add_external_address(address);
        });
    }

    /// Drives the swarm until it is told to stop, or nobody is left to tell it anything.
    pub(super) async fn run(mut self) {
        let mut review = interval(BLOCKS_REVIEWED);
        review.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                command = self.commands.recv() => match command {
                    None | Some(Command::Stop) => break,
                    Some(command) => self.on_command(command),
                },
                _ = review.tick() => self.unblock(),
            }
        }
        self.close().await;
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Dial { dial, reply } => self.dial(dial, reply),
            Command::Close(connection) => {
                self.swarm.close_connection(connection);
            }
            Command::Disconnect(peer) => {
                // It fails where the peer has left, which is what is wanted.
                let _ = self.swarm.disconnect_peer_id(peer);
            }
            Command::Block(peer, duration) => self.block(peer, duration),
            #[cfg(test)]
            Command::Connected(reply) => reply.send(self.swarm.connected_peers().count()).unwrap(),
            Command::Provide => {
                if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
                    self.dht.provide(kad);
                }
            }
            Command::Search => {
                if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
                    self.dht.search(kad);
                }
            }
            Command::Stop => {}
        }
    }

    fn dial(&mut self, dial: DialOpts, reply: oneshot::Sender<Result<PeerId, DialFailed>>) {
        let (connection, peer) = (dial.connection_id(), dial.get_peer_id());
        self.dials.add(connection, reply);
        if let Err(error) = self.swarm.dial(dial) {
            let connected = peer.filter(|peer| self.swarm.is_connected(peer));
            self.dials.failed(connection, connected, &error);
        }
    }

    fn block(&mut self, peer: PeerId, duration: Duration) {
        if let Some(makes_room) = self.blocked.add(peer, duration) {
            self.swarm.behaviour_mut().blocked.unblock_peer(makes_room);
        }
        self.swarm.behaviour_mut().blocked.block_peer(peer);
    }

    fn unblock(&mut self) {
        for peer in self.blocked.expired() {
            self.swarm.behaviour_mut().blocked.unblock_peer(peer);
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                debug!(peer = %peer_id, address = %endpoint.get_remote_address(), "connected");
                self.dials.connected(connection_id, peer_id);
            }
            SwarmEvent::ConnectionClosed { peer_id, cause, .. } => {
                debug!(peer = %peer_id, cause = cause.map(|cause| cause.to_string()), "disconnected");
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                let connected = match &error {
                    DialError::DialPeerConditionFalse(_) => peer_id.filter(|peer| self.swarm.is_connected(peer)),
                    _ => None,
                };
                self.dials.failed(connection_id, connected, &error);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                debug!(address = %send_back_addr, %error, "a peer could not connect");
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                let address = with_peer(address, *self.swarm.local_peer_id());
                info!(%address, "listening");
                self.addresses.send_modify(|addresses| {
                    if !addresses.contains(&address) {
                        addresses.push(address);
                    }
                });
                self.announce();
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                let address = with_peer(address, *self.swarm.local_peer_id());
                self.addresses.send_modify(|addresses| addresses.retain(|known| *known != address));
                self.announce();
            }
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                warn!(?addresses, ?reason, "no longer listening");
            }
            SwarmEvent::Behaviour(BehaviourEvent::Mdns(mdns::Event::Discovered(found))) => {
                self.report(found.into_iter().map(|(peer, address)| Finding::Found(peer, address)));
            }
            SwarmEvent::Behaviour(BehaviourEvent::Mdns(mdns::Event::Expired(lost))) => {
                self.report(lost.into_iter().map(|(peer, address)| Finding::Lost(peer, address)));
            }
            SwarmEvent::Behaviour(BehaviourEvent::Throttle(throttle::Event::Peer(peer, duration))) => {
                warn!(%peer, for_s = duration.as_secs(), "blocked a peer that connects again and again");
                self.block(peer, duration);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Throttle(throttle::Event::Address(address, duration))) => {
                warn!(%address, for_s = duration.as_secs(), "blocked an address that connects again and again");
            }
            SwarmEvent::Behaviour(BehaviourEvent::Kad(event)) => {
                if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
                    let found = self.dht.on_event(kad, event);
                    self.report(found.into_iter());
                }
            }
            _ => {}
        }
    }

    /// What finds no room is dropped; it will be found again when its time is over.
    fn report(&self, findings: impl Iterator<Item = Finding>) {
        for finding in findings {
            if self.findings.try_send(finding).is_err() {
                return;
            }
        }
    }

    /// Says goodbye, so that peers need not find out by silence.
    async fn close(mut self) {
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closed = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        // Those that take longer are cut off.
        let _ = timeout(CLOSING, closed).await;
    }
}
