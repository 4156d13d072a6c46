//! Links between gateways: each tells the others of the nodes that are connected to it, and passes requests on to them.
//!
//! A link goes one way. Each gateway opens a stream to every peer gateway of its configuration and tells there of its own
//! nodes; what it is told arrives on streams that the others open. So nobody has to agree on who opens, and a link that
//! works in one direction only is one that works half. Only nodes that are connected to the teller itself are told of:
//! what is told never goes round in circles.
//!
//! The other gateway is believed in nothing that a node can sign: adverts are held against the same rules as a node's
//! own. It is trusted with callers' requests, so only configured peers are listened to.

mod acceptor;
mod heard;
mod keeper;
mod listener;
mod neighbours;
mod pace;
mod relay;
mod teller;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

pub(crate) use acceptor::LinkAcceptor;
pub(crate) use heard::Heard;
pub(crate) use keeper::{LinkKeeper, Linking};
pub(crate) use neighbours::Neighbours;
pub(crate) use relay::Relay;

use crate::address::peer_of;
use crate::network::StartError;

/// Nodes that are taken from one gateway; what it tells beyond them is not heard.
const MAX_NODES: usize = 20_000;

/// The peer gateways of a configuration, each with where it may be dialled. One without an address dials us.
pub(crate) type PeerGateways = BTreeMap<PeerId, Vec<Multiaddr>>;

/// Reads peer gateways, each named by an address that ends in `/p2p/` and its peer id, or by these alone.
///
/// # Errors
/// Where one names nobody, or ourselves, or there are too many.
pub(crate) fn peer_gateways(named: &[Multiaddr], ourselves: PeerId) -> Result<PeerGateways, StartError> {
    StartError::unless_few(named)?;
    let mut gateways = PeerGateways::new();
    for address in named {
        let peer = peer_of(address).ok_or_else(|| StartError::NamelessPeerGateway(address.clone()))?;
        if peer == ourselves {
            return Err(StartError::OwnPeerGateway(address.clone()));
        }
        let addresses = gateways.entry(peer).or_default();
        if !matches!(address.iter().next(), Some(Protocol::P2p(_))) {
            addresses.push(address.clone());
        }
    }
    Ok(gateways)
}
