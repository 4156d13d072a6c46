//! Where others are told that this peer can be dialled.

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::watch;

use crate::address::with_peer;

/// The addresses that others are told of: those of the configuration, or those that are listened on. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Announced {
    configured: Vec<Multiaddr>,
    listened: watch::Receiver<Vec<Multiaddr>>,
}

impl Announced {
    pub(super) fn new(configured: &[Multiaddr], peer: PeerId, listened: watch::Receiver<Vec<Multiaddr>>) -> Self {
        let configured = configured.iter().map(|address| with_peer(address.clone(), peer)).collect();
        Self { configured, listened }
    }

    /// Addresses that never change.
    #[cfg(test)]
    pub(crate) fn fixed(addresses: Vec<Multiaddr>) -> Self {
        Self { configured: addresses, listened: watch::Sender::new(Vec::new()).subscribe() }
    }

    /// The addresses at this moment.
    pub(crate) fn now(&self) -> Vec<Multiaddr> {
        if self.configured.is_empty() { worth_telling(&self.listened.borrow()) } else { self.configured.clone() }
    }

    /// Changes when they may have.
    pub(crate) fn watch(&self) -> watch::Receiver<Vec<Multiaddr>> {
        self.listened.clone()
    }
}

/// Without those of the machine itself, unless there are no others.
fn worth_telling(addresses: &[Multiaddr]) -> Vec<Multiaddr> {
    let is_own = |address: &&Multiaddr| match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    };
    let (own, others): (Vec<_>, Vec<_>) = addresses.iter().partition(is_own);
    if others.is_empty() { own } else { others }.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_of_where_nothing_else_is_there() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Multiaddr>>();
        let (own, public) = ("/ip4/127.0.0.1/tcp/1", "/ip4/192.0.2.1/tcp/1");
        assert_eq!(worth_telling(&addresses(&[own, "/ip6/::1/tcp/1", public])), addresses(&[public]));
        assert_eq!(worth_telling(&addresses(&[own])), addresses(&[own]));
        let peer = PeerId::random();
        let listened = watch::Sender::new(addresses(&[own])).subscribe();
        let announced = Announced::new(&addresses(&["/dns/gateway.example.com/tcp/4100"]), peer, listened);
        assert_eq!(announced.now()[0].to_string(), format!("/dns/gateway.example.com/tcp/4100/p2p/{peer}"));
    }
}
