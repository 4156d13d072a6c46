//! The directory at one moment.

use std::sync::Arc;

use libp2p::PeerId;

use super::arena::Arena;
use super::cow_map::{CowMap, Keyed};
use super::market::{Candidates, Market};
use super::{Candidate, Health, Node, NodeStats};

/// A node with all that it sells.
#[derive(Debug, Clone)]
pub(super) struct Entry(Arc<(Arc<Node>, Box<[Candidate]>)>);

impl Keyed for Entry {
    type Key = PeerId;

    fn key(&self) -> &PeerId {
        self.node().peer()
    }
}

impl Entry {
    pub(super) fn new(node: Arc<Node>, seats: Vec<Candidate>) -> Self {
        Self(Arc::new((node, seats.into())))
    }

    pub(super) fn node(&self) -> &Arc<Node> {
        &self.0.0
    }

    pub(super) fn seats(&self) -> &[Candidate] {
        &self.0.1
    }
}

/// Who is there and what it offers. Never changes.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    version: u64,
    nodes: CowMap<Entry>,
    markets: CowMap<Arc<Market>>,
    places: Places,
}

/// Where the numbers of nodes and of what they sell are. Shared by all snapshots.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    pub(super) stats: Arena<NodeStats>,
    pub(super) health: Arena<Health>,
}

impl Snapshot {
    /// Grows with each change.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The nodes there are, those that drain included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 0
    }

    /// The nodes that serve this model and do not drain, in no meaningful order.
    #[must_use]
    pub fn candidates(&self, model: &str) -> Candidates<'_> {
        Candidates::of(self.markets.get(model), &self.places)
    }

    /// Every model that is served, with those that serve it.
    pub fn models(&self) -> impl Iterator<Item = (&str, Candidates<'_>)> {
        self.markets.iter().map(|market| (market.model(), Candidates::of(Some(market), &self.places)))
    }

    /// Every node, those that drain included.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.iter().map(Entry::node)
    }

    /// The node of this peer. None where it is not there.
    #[must_use]
    pub fn node(&self, peer: PeerId) -> Option<&Arc<Node>> {
        self.entry(peer).map(Entry::node)
    }

    pub(super) fn entry(&self, peer: PeerId) -> Option<&Entry> {
        self.nodes.get(&peer)
    }

    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    pub(super) fn count_change(&mut self) {
        self.version += 1;
    }

    /// Puts a node in the place of any other of its peer.
    pub(super) fn put(&mut self, entry: Entry) {
        let replaced = self.nodes.get(entry.key()).cloned();
        if let Some(before) = &replaced {
            // Who keeps its session and a model keeps its place in that market.
            let stays = |seat: &Candidate| {
                let is_same = |other: &Candidate| other.offer().id == seat.offer().id;
                entry.node().session() == before.node().session() && entry.seats().iter().any(is_same)
            };
            before.seats().iter().filter(|seat| !stays(seat)).for_each(|seat| self.close(seat));
        }
        if entry.node().stats().is_draining() {
            entry.seats().iter().for_each(|seat| self.close(seat));
        } else {
            entry.seats().iter().for_each(|seat| self.open(seat));
        }
        self.nodes.insert(entry);
    }

    /// Takes the node of this peer out.
    pub(super) fn remove(&mut self, peer: PeerId) -> Option<Entry> {
        let entry = self.nodes.remove(&peer)?;
        entry.seats().iter().for_each(|seat| self.close(seat));
        Some(entry)
    }

    fn open(&mut self, seat: &Candidate) {
        let model = &seat.offer().id;
        let mut market = self.markets.get(model).cloned().unwrap_or_else(|| Arc::new(Market::new(Arc::clone(model))));
        Arc::make_mut(&mut market).put(seat.clone());
        self.markets.insert(market);
    }

    fn close(&mut self, seat: &Candidate) {
        let model = &seat.offer().id;
        let Some(mut market) = self.markets.get(model).cloned() else { return };
        Arc::make_mut(&mut market).remove(seat.session());
        if market.is_empty() {
            self.markets.remove(model);
        } else {
            self.markets.insert(market);
        }
    }
}
