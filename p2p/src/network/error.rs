//! Why a peer does not start.

use libp2p::{Multiaddr, PeerId};

use crate::address::peer_of;

/// Gateways that a configuration may name.
pub(crate) const MAX_NAMED_GATEWAYS: usize = 16;

/// Why a peer does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address as configured.
        address: Multiaddr,
        /// Why not.
        reason: String,
    },
    /// The encryption of connections cannot be set up.
    #[error("connections cannot be encrypted: {0}")]
    Encryption(String),
    /// A gateway without an address.
    #[error("no address to listen on; nodes need one to dial, such as /ip4/0.0.0.0/tcp/4100")]
    NoAddress,
    /// A node that cannot find any gateway.
    #[error("no gateway to dial: name one by its multiaddr, or a bootstrap that knows some, or let mDNS look for one")]
    NoGateway,
    /// More gateways are named than are taken.
    #[error("{0} gateways are named; at most {MAX_NAMED_GATEWAYS} are taken")]
    TooManyGateways(usize),
    /// A peer gateway that could be anybody.
    #[error(
        "the peer gateway {0} names no peer; end it with /p2p/ and the peer id that the other gateway logs at its start"
    )]
    NamelessPeerGateway(Multiaddr),
    /// A gateway that is to be linked to itself.
    #[error("the peer gateway {0} is this gateway itself")]
    OwnPeerGateway(Multiaddr),
    /// A bootstrap that could be anybody.
    #[error("the bootstrap {0} names no peer; end it with /p2p/ and the peer id that it logs at its start")]
    NamelessBootstrap(Multiaddr),
    /// The node's own offer breaks a bound.
    #[error("the offer cannot be made: {0}")]
    Offer(#[from] crate::OfferError),
}

impl StartError {
    /// Checks how many gateways a configuration names.
    pub(crate) fn unless_few(gateways: &[Multiaddr]) -> Result<(), Self> {
        if gateways.len() > MAX_NAMED_GATEWAYS { Err(Self::TooManyGateways(gateways.len())) } else { Ok(()) }
    }
}

/// Reads bootstraps, each with who it is.
pub(crate) fn bootstraps(named: &[Multiaddr]) -> Result<Vec<(PeerId, Multiaddr)>, StartError> {
    StartError::unless_few(named)?;
    let read = |address: &Multiaddr| match peer_of(address) {
        Some(peer) => Ok((peer, address.clone())),
        None => Err(StartError::NamelessBootstrap(address.clone())),
    };
    named.iter().map(read).collect()
}
