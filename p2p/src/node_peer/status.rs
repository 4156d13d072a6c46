//! What a node's operator can see of its gateways.

use libp2p::PeerId;
use tokio::sync::watch;

/// A node as its gateways see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeStatus {
    /// The gateways with a control stream.
    pub gateways: Vec<GatewayStatus>,
    /// What a gateway refused last. None: nothing so far.
    pub last_refusal: Option<Refusal>,
    /// Why a gateway could not be reached last. None: never, or one was reached since.
    pub last_failure: Option<String>,
}

/// One connected gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayStatus {
    /// Who it is.
    pub peer_id: PeerId,
    /// Whether it has taken the advert, so that it may send requests.
    pub accepted: bool,
    /// Whether it has said that it sends no further requests.
    pub drained: bool,
}

/// Something that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// By whom.
    pub gateway: PeerId,
    /// Why.
    pub reason: String,
    /// Which part of the offer. None: none.
    pub field: Option<String>,
}

/// Where keepers write what they see.
#[derive(Debug, Clone, Default)]
pub(super) struct StatusBoard(watch::Sender<NodeStatus>);

impl StatusBoard {
    pub(super) fn watch(&self) -> watch::Receiver<NodeStatus> {
        self.0.subscribe()
    }

    /// Enters a gateway. False where it is there already: another address led to it.
    pub(super) fn enter(&self, peer_id: PeerId) -> bool {
        self.0.send_if_modified(|status| {
            if status.gateways.iter().any(|gateway| gateway.peer_id == peer_id) {
                return false;
            }
            status.gateways.push(GatewayStatus { peer_id, accepted: false, drained: false });
            status.last_failure = None;
            true
        })
    }

    pub(super) fn leave(&self, peer_id: PeerId, why: &str) {
        self.0.send_modify(|status| {
            status.gateways.retain(|gateway| gateway.peer_id != peer_id);
            status.last_failure = Some(why.to_owned());
        });
    }

    pub(super) fn update(&self, peer_id: PeerId, change: impl FnOnce(&mut GatewayStatus)) {
        self.0.send_modify(|status| {
            if let Some(gateway) = status.gateways.iter_mut().find(|gateway| gateway.peer_id == peer_id) {
                change(gateway);
            }
        });
    }

    /// Notes a refusal. False where it only says again what was noted last.
    pub(super) fn refused(&self, gateway: PeerId, reason: String, field: String) -> bool {
        let field = Some(field).filter(|field| !field.is_empty());
        let mut is_new = false;
        self.0.send_modify(|status| {
            if let Some(entry) = status.gateways.iter_mut().find(|entry| entry.peer_id == gateway) {
                // A refused advert withdraws the one before it.
                is_new = entry.accepted && field.is_some();
                entry.accepted &= field.is_none();
            }
            let refusal = Some(Refusal { gateway, reason, field });
            is_new |= status.last_refusal != refusal;
            status.last_refusal = refusal;
        });
        is_new
    }

    pub(super) fn failed(&self, why: &str) {
        self.0.send_modify(|status| status.last_failure = Some(why.to_owned()));
    }

    /// Waits until this gateway is not connected.
    pub(super) async fn until_left(&self, peer_id: PeerId) {
        let mut status = self.watch();
        // The board outlives all who wait at it.
        let _ = status.wait_for(|status| status.gateways.iter().all(|gateway| gateway.peer_id != peer_id)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_is_said_again_is_no_news_unless_the_node_was_taken_in_between() {
        let (board, gateway) = (StatusBoard::default(), PeerId::random());
        board.enter(gateway);
        let refused = || board.refused(gateway, "not listed".to_owned(), "peer_id".to_owned());
        assert!(refused());
        assert!(!refused());
        board.update(gateway, |status| status.accepted = true);
        assert!(refused());
        assert!(!board.watch().borrow().gateways[0].accepted);
        assert!(board.refused(gateway, "too dear".to_owned(), "ask".to_owned()));
    }
}
