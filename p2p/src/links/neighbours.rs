//! The gateways that are linked to this one, and where nodes can dial them.

use std::collections::BTreeMap;
use std::sync::Arc;

use libp2p::{Multiaddr, PeerId};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::address::{parse_multiaddr, peer_of, with_peer};

/// Addresses that one gateway may have.
const MAX_ADDRESSES: usize = 4;
/// Bytes of an address at most.
const MAX_ADDRESS: usize = 256;

/// Who is linked. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Neighbours(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// What nodes are told of in any case.
    always: Vec<String>,
    known: Mutex<BTreeMap<PeerId, Neighbour>>,
    told: watch::Sender<Vec<String>>,
}

#[derive(Debug, Default)]
struct Neighbour {
    /// The last session. It is 0 where that is over.
    session: u64,
    /// Where it was last; kept when the link ends, because that is when it is needed.
    addresses: Vec<Multiaddr>,
}

impl Neighbours {
    /// Nobody yet. `always` is what nodes are told of besides.
    pub(crate) fn new(always: Vec<String>) -> Self {
        let told = watch::Sender::new(always.clone());
        Self(Arc::new(Inner { always, known: Mutex::default(), told }))
    }

    /// What nodes are told. Changes when links come and go, and when a gateway moves.
    pub(crate) fn told(&self) -> watch::Receiver<Vec<String>> {
        self.0.told.subscribe()
    }

    /// Where this gateway was last, by its own word.
    pub(super) fn addresses(&self, peer: PeerId) -> Vec<Multiaddr> {
        self.0.known.lock().get(&peer).map_or_else(Vec::new, |neighbour| neighbour.addresses.clone())
    }

    /// A link of this number has begun. It ends when the guard is dropped.
    pub(super) fn link(&self, peer: PeerId, session: u64) -> Linked {
        self.change(|known| known.entry(peer).or_default().session = session);
        Linked { neighbours: self.clone(), peer, session }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<PeerId, Neighbour>)) {
        let mut known = self.0.known.lock();
        change(&mut known);
        let linked = known.values().filter(|neighbour| neighbour.session != 0);
        let addresses = linked.flat_map(|neighbour| &neighbour.addresses).map(Multiaddr::to_string);
        let told: Vec<String> = self.0.always.iter().cloned().chain(addresses).collect();
        self.0.told.send_if_modified(|current| {
            let changed = *current != told;
            *current = told;
            changed
        });
    }
}

/// A link that is there.
#[derive(Debug)]
pub(super) struct Linked {
    neighbours: Neighbours,
    peer: PeerId,
    session: u64,
}

impl Linked {
    /// Takes where the gateway says that it is. What is no address, or another peer's, is left out.
    pub(super) fn moved_to(&self, addresses: &[String]) {
        let short = addresses.iter().filter(|address| address.len() <= MAX_ADDRESS);
        let read = short.filter_map(|address| parse_multiaddr(address).ok());
        let own = read.filter(|address| peer_of(address).is_none_or(|peer| peer == self.peer));
        let addresses: Vec<Multiaddr> = own.map(|address| with_peer(address, self.peer)).take(MAX_ADDRESSES).collect();
        self.neighbours.change(|known| {
            if let Some(neighbour) = known.get_mut(&self.peer).filter(|known| known.session == self.session) {
                neighbour.addresses = addresses;
            }
        });
    }
}

impl Drop for Linked {
    fn drop(&mut self) {
        self.neighbours.change(|known| {
            if let Some(neighbour) = known.get_mut(&self.peer).filter(|known| known.session == self.session) {
                neighbour.session = 0;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_told_of_who_is_linked_and_where_it_is_now() {
        let neighbours = Neighbours::new(vec!["/ip4/192.0.2.1/tcp/1".into()]);
        let told = neighbours.told();
        let peer = PeerId::random();
        let at = |port: u16| format!("/ip4/192.0.2.2/tcp/{port}");
        let link = neighbours.link(peer, 1);
        assert!(!told.has_changed().unwrap(), "nothing is known of it yet");
        link.moved_to(&[at(7), format!("/ip4/192.0.2.3/tcp/1/p2p/{}", PeerId::random()), "nonsense".into()]);
        assert_eq!(*told.borrow(), ["/ip4/192.0.2.1/tcp/1".to_owned(), format!("{}/p2p/{peer}", at(7))]);
        let newer = neighbours.link(peer, 2);
        link.moved_to(&[at(8)]);
        drop(link);
        assert!(told.borrow()[1].contains("tcp/7"), "an older session has no say any more");
        newer.moved_to(&[at(9)]);
        assert!(told.borrow()[1].contains("tcp/9"));
        drop(newer);
        assert_eq!(*told.borrow(), ["/ip4/192.0.2.1/tcp/1"]);
        assert_eq!(neighbours.addresses(peer).len(), 1, "where it was is what finds it again");
    }

    #[test]
    fn a_gateway_has_few_addresses() {
        let neighbours = Neighbours::new(Vec::new());
        let link = neighbours.link(PeerId::random(), 1);
        let many: Vec<String> = (1..100).map(|port| format!("/ip4/192.0.2.2/tcp/{port}")).collect();
        link.moved_to(&many);
        assert_eq!(neighbours.told().borrow().len(), MAX_ADDRESSES);
    }
}
