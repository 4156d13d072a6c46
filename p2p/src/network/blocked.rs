//! Who is blocked, and for how long.
//!
//! A peer costs nothing to make, so a block list that only grows is a way to fill memory, and one that never forgets
//! punishes an operator for a bug that was fixed long ago. The list is short, and the oldest entry makes room.

use std::collections::VecDeque;
use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

/// Peers that are blocked at a time.
const MAX_BLOCKED: usize = 1024;

/// Blocked peers, in the order in which they were blocked.
#[derive(Debug, Default)]
pub(super) struct Blocked(VecDeque<(PeerId, Instant)>);

impl Blocked {
    /// Notes a peer. Gives back the one that makes room for it.
    pub(super) fn add(&mut self, peer: PeerId, duration: Duration) -> Option<PeerId> {
        self.0.retain(|(other, _)| *other != peer);
        let makes_room = if self.0.len() >= MAX_BLOCKED { self.0.pop_front() } else { None };
        self.0.push_back((peer, Instant::now() + duration));
        makes_room.map(|(peer, _)| peer)
    }

    /// Takes out those whose time is over.
    pub(super) fn expired(&mut self) -> Vec<PeerId> {
        let now = Instant::now();
        let expired = self.0.iter().filter(|(_, until)| *until <= now).map(|(peer, _)| *peer).collect();
        self.0.retain(|(_, until)| *until > now);
        expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn blocks_end() {
        let (mut blocked, peer) = (Blocked::default(), PeerId::random());
        assert_eq!(blocked.add(peer, Duration::from_secs(60)), None);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(blocked.expired().is_empty());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(blocked.expired(), [peer]);
        assert!(blocked.expired().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_makes_room() {
        let mut blocked = Blocked::default();
        let peers: Vec<PeerId> = (0..=MAX_BLOCKED).map(|_| PeerId::random()).collect();
        let (last, first) = peers.split_last().unwrap();
        assert!(first.iter().all(|peer| blocked.add(*peer, Duration::from_secs(1)).is_none()));
        assert_eq!(blocked.add(*last, Duration::from_secs(1)), Some(peers[0]));
    }
}
