//! What the swarm does beside streams.

use libp2p::allow_block_list::{self, BlockedPeers};
use libp2p::mdns;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;

use super::{dht, limits, throttle};
use crate::streams;

/// The swarm's behaviours. Those that may deny a connection stand before the one that makes something of it.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) blocked: allow_block_list::Behaviour<BlockedPeers>,
    pub(super) throttle: throttle::Behaviour,
    pub(super) limits: limits::Behaviour,
    pub(super) mdns: Toggle<mdns::tokio::Behaviour>,
    pub(super) kad: Toggle<dht::Behaviour>,
    pub(super) streams: streams::Behaviour,
}
