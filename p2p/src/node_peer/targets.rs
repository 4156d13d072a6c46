//! Which gateways are known, and the keepers that stand for them.
//!
//! Four sources: the configuration, mDNS, the DHT, and gateways that tell of others. All addresses of one peer id make
//! one target, so that they are tried together.

use std::collections::HashMap;
use std::sync::Arc;

use libp2p::{Multiaddr, PeerId};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::addresses::Addresses;
use super::keeper::{Keeping, MAX_LEARNED, Target};
use crate::address::{parse_multiaddr, peer_of};
use crate::network::Finding;

/// Keepers at most.
const MAX_TARGETS: usize = 48;

/// What makes two addresses the same gateway before it is dialled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    Peer(PeerId),
    Address(Multiaddr),
}

#[derive(Debug)]
struct Kept {
    target: Arc<Target>,
    keeper: AbortHandle,
}

/// The gateways that are known.
pub(super) struct Targets {
    keeping: Arc<Keeping>,
    configured: Vec<Multiaddr>,
    keepers: JoinSet<()>,
    kept: HashMap<Name, Kept>,
    learned: mpsc::Sender<String>,
    told: mpsc::Receiver<String>,
}

impl Targets {
    pub(super) fn new(keeping: Arc<Keeping>, configured: Vec<Multiaddr>) -> Self {
        let (learned, told) = mpsc::channel(MAX_LEARNED);
        Self { keeping, configured, keepers: JoinSet::new(), kept: HashMap::new(), learned, told }
    }

    /// Runs until it is told to leave. All sessions are over then.
    pub(super) async fn run(mut self, mut findings: mpsc::Receiver<Finding>, leave: CancellationToken) {
        let configured = std::mem::take(&mut self.configured);
        configured.into_iter().for_each(|address| self.add(None, address, true));
        loop {
            tokio::select! {
                () = leave.cancelled() => break,
                Some(finding) = findings.recv() => self.on_finding(finding),
                Some(address) = self.told.recv() => match parse_multiaddr(&address) {
                    Ok(address) => self.add(None, address, false),
                    Err(error) => debug!(%error, "a gateway told of an address that is none"),
                },
                Some(ended) = self.keepers.join_next_with_id() => {
                    let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                    self.forget(id);
                }
            }
        }
        self.keepers.shutdown().await;
    }

    fn on_finding(&mut self, finding: Finding) {
        match finding {
            Finding::Found(peer, address) => self.add(Some(peer), address, false),
            Finding::Lost(peer, address) => {
                if let Some(kept) = self.kept.get(&Name::Peer(peer))
                    && !kept.target.is_configured
                {
                    let mut addresses = kept.target.addresses.lock();
                    addresses.forget(&address);
                    if addresses.is_empty() {
                        // A session that lives shows that the peer is there after all; its keeper ends with it.
                        drop(addresses);
                        self.give_up_unless_connected(peer);
                    }
                }
            }
        }
    }

    fn give_up_unless_connected(&self, peer: PeerId) {
        let connected = self.keeping.board.watch().borrow().gateways.iter().any(|gateway| gateway.peer_id == peer);
        if !connected && let Some(kept) = self.kept.get(&Name::Peer(peer)) {
            kept.keeper.abort();
        }
    }

    fn add(&mut self, peer: Option<PeerId>, address: Multiaddr, is_configured: bool) {
        let peer = peer.or_else(|| peer_of(&address));
        let name = peer.map_or_else(|| Name::Address(address.clone()), Name::Peer);
        if let Some(kept) = self.kept.get(&name) {
            kept.target.addresses.lock().learn(address, is_configured);
            return;
        }
        if self.kept.len() >= MAX_TARGETS {
            debug!(%address, "enough gateways are known; this one is left out");
            return;
        }
        let mut addresses = Addresses::default();
        addresses.learn(address, is_configured);
        let target = Arc::new(Target { peer, addresses: parking_lot::Mutex::new(addresses), is_configured });
        let (keeping, kept, learned) = (self.keeping.clone(), target.clone(), self.learned.clone());
        let keeper = self.keepers.spawn(async move { keeping.keep(&kept, &learned).await });
        self.kept.insert(name, Kept { target, keeper });
    }

    fn forget(&mut self, keeper: Id) {
        self.kept.retain(|_, kept| kept.keeper.id() != keeper);
    }
}
