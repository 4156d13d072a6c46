//! One link's view of the roster: what its gateway has not been told yet.

use std::sync::Arc;

use libp2p::PeerId;
use tokio::sync::Notify;

use super::{Inner, Roster};
use crate::wire::{LoadBody, SignedAdvert};

/// Something that a link tells at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// The node has left.
    Left(PeerId),
    /// The node came or has another advert.
    Node { peer: PeerId, advert: SignedAdvert, load: Option<LoadBody>, draining: bool },
    /// The node drains.
    Drains(PeerId),
}

/// What one link has not told yet.
#[derive(Debug)]
pub(crate) struct Feed {
    roster: Roster,
    number: u64,
    notify: Arc<Notify>,
}

impl Feed {
    pub(super) fn new(roster: Roster, number: u64, notify: Arc<Notify>) -> Self {
        Self { roster, number, notify }
    }

    /// Waits until there may be changes. Can be dropped and called again.
    pub(crate) async fn changed(&self) {
        self.notify.notified().await;
    }

    /// Some of the changes that wait; the others are notified of again.
    pub(crate) fn changes(&self, at_most: usize) -> Vec<Change> {
        let mut inner = self.roster.0.lock();
        let Inner { nodes, feeds, .. } = &mut *inner;
        let Some(waiting) = feeds.get_mut(&self.number) else { return Vec::new() };
        let peers: Vec<PeerId> = waiting.changes.keys().take(at_most).copied().collect();
        let mut changes = Vec::with_capacity(peers.len());
        for peer in peers {
            let pending = waiting.changes.remove(&peer).unwrap_or_default();
            if pending.left {
                changes.push(Change::Left(peer));
            }
            let Some(known) = nodes.get(&peer) else { continue };
            if pending.advert {
                let (advert, load, draining) = (known.advert.clone(), known.load, known.draining);
                changes.push(Change::Node { peer, advert, load, draining });
                waiting.loads.remove(&peer);
            } else if pending.drain {
                changes.push(Change::Drains(peer));
            }
        }
        if !waiting.changes.is_empty() {
            waiting.notify.notify_one();
        }
        changes
    }

    /// The loads that were reported since the last call.
    pub(crate) fn loads(&self) -> Vec<(PeerId, LoadBody)> {
        let mut inner = self.roster.0.lock();
        let Inner { nodes, feeds, .. } = &mut *inner;
        let Some(waiting) = feeds.get_mut(&self.number) else { return Vec::new() };
        waiting.loads.drain().filter_map(|peer| Some((peer, nodes.get(&peer)?.load?))).collect()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.roster.0.lock().feeds.remove(&self.number);
    }
}
