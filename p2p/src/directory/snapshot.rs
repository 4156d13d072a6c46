//! The directory at one moment.
//!
//! A change copies the maps, which hold pointers, and rebuilds only the lists of the models that it touches.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use libp2p::PeerId;

use super::{Candidate, Node};

/// Who is there and what it offers. Never changes.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    version: u64,
    nodes: HashMap<PeerId, Arc<Node>>,
    by_model: HashMap<Arc<str>, Arc<[Candidate]>>,
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
        self.nodes.is_empty()
    }

    /// The nodes that serve this model and do not drain, in no meaningful order.
    #[must_use]
    pub fn candidates(&self, model: &str) -> &[Candidate] {
        self.by_model.get(model).map_or(&[], |candidates| candidates)
    }

    /// Every model that is served, with those that serve it.
    pub fn models(&self) -> impl Iterator<Item = (&str, &[Candidate])> {
        self.by_model.iter().map(|(model, candidates)| (&**model, &**candidates))
    }

    /// Every node, those that drain included.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.values()
    }

    /// The node of this peer. None where it is not there.
    #[must_use]
    pub fn node(&self, peer: PeerId) -> Option<&Arc<Node>> {
        self.nodes.get(&peer)
    }

    /// With this node, in the place of any other of the same peer.
    pub(super) fn with(&self, node: Arc<Node>) -> Self {
        let mut next = self.without(node.peer_id());
        if !node.stats().is_draining() {
            for model in &node.offer().models {
                next.add_candidate(&model.id, &node);
            }
        }
        next.nodes.insert(node.peer_id(), node);
        next
    }

    /// Without the node of this peer.
    pub(super) fn without(&self, peer: PeerId) -> Self {
        let mut next = Self { version: self.version + 1, ..self.clone() };
        if let Some(node) = next.nodes.remove(&peer) {
            let models: BTreeSet<&str> = node.offer().models.iter().map(|model| model.id.as_str()).collect();
            for model in models {
                next.remove_candidate(model, peer);
            }
        }
        next
    }

    fn add_candidate(&mut self, model: &str, node: &Arc<Node>) {
        let Some(candidate) = Candidate::of(node.clone(), model) else {
            return;
        };
        let candidates = self.candidates(model).iter().cloned().chain([candidate]).collect();
        self.by_model.insert(model.into(), candidates);
    }

    fn remove_candidate(&mut self, model: &str, peer: PeerId) {
        let others: Arc<[Candidate]> =
            self.candidates(model).iter().filter(|candidate| candidate.peer_id() != peer).cloned().collect();
        if others.is_empty() {
            self.by_model.remove(model);
        } else {
            self.by_model.insert(model.into(), others);
        }
    }
}
