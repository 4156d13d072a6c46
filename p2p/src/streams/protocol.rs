//! The protocols by name, and the two upgrades that negotiate them.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::iter::Once;
use std::sync::Arc;

use libp2p::core::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::{Stream, StreamProtocol};

/// HTTP/1.1 over a stream, as the libp2p HTTP draft names it.
pub(crate) const HTTP: StreamProtocol = StreamProtocol::new("/http/1.1");
/// What nodes and gateways tell each other.
pub(crate) const CONTROL: StreamProtocol = StreamProtocol::new("/peerway/control/1");
/// What a gateway tells another of its nodes.
pub(crate) const GATEWAYS: StreamProtocol = StreamProtocol::new("/peerway/gateways/1");
/// HTTP/1.1 to a node of another gateway, whose peer id is the stream's opening.
pub(crate) const RELAY: StreamProtocol = StreamProtocol::new("/peerway/relay/1");

/// Takes whichever of our protocols the far side asks for.
#[derive(Debug, Clone)]
pub(crate) struct Offered(pub(super) Arc<[StreamProtocol]>);

/// Iterates over shared names without an allocation: the swarm asks for them each time it polls a connection.
#[derive(Debug)]
pub(crate) struct Names {
    names: Arc<[StreamProtocol]>,
    next: usize,
}

impl Iterator for Names {
    type Item = StreamProtocol;

    fn next(&mut self) -> Option<StreamProtocol> {
        let name = self.names.get(self.next).cloned();
        self.next += 1;
        name
    }
}

impl UpgradeInfo for Offered {
    type Info = StreamProtocol;
    type InfoIter = Names;

    fn protocol_info(&self) -> Names {
        Names { names: self.0.clone(), next: 0 }
    }
}

impl InboundUpgrade<Stream> for Offered {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

/// Asks for one protocol.
#[derive(Debug, Clone)]
pub(crate) struct Wanted(pub(super) StreamProtocol);

impl UpgradeInfo for Wanted {
    type Info = StreamProtocol;
    type InfoIter = Once<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once(self.0.clone())
    }
}

impl OutboundUpgrade<Stream> for Wanted {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}
