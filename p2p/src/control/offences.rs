//! Who broke the protocol how often.
//!
//! Counted across connections, because whoever breaks it would otherwise reconnect and go on. Old offences are forgotten,
//! and the list is bounded: a flood of new identities pushes out old ones, each of which cost its owner handshakes.

use std::collections::VecDeque;
use std::time::Duration;

use libp2p::PeerId;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Offences until a peer is blocked.
const BLOCKED_AT: u32 = 3;
/// An offence is forgotten after this time, and a block ends.
pub(crate) const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// Offenders that are remembered.
const MAX_OFFENDERS: usize = 1024;

/// Counts offences of peers.
#[derive(Debug, Default)]
pub(crate) struct Offences(Mutex<VecDeque<Offender>>);

#[derive(Debug)]
struct Offender {
    peer: PeerId,
    count: u32,
    last: Instant,
}

impl Offences {
    /// Notes an offence. True where the peer is to be blocked now; its count then starts anew.
    pub(crate) fn add(&self, peer: PeerId) -> bool {
        let now = Instant::now();
        let mut offenders = self.0.lock();
        offenders.retain(|offender| now.duration_since(offender.last) < FORGOTTEN_AFTER);
        let count = match offenders.iter().position(|offender| offender.peer == peer) {
            Some(index) => offenders.remove(index).map_or(0, |offender| offender.count) + 1,
            None => 1,
        };
        if count >= BLOCKED_AT {
            return true;
        }
        if offenders.len() >= MAX_OFFENDERS {
            offenders.pop_front();
        }
        offenders.push_back(Offender { peer, count, last: now });
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_third_offence_blocks() {
        let offences = Offences::default();
        let (peer, other) = (PeerId::random(), PeerId::random());
        assert!(!offences.add(peer));
        assert!(!offences.add(other));
        assert!(!offences.add(peer));
        assert!(offences.add(peer));
        assert!(!offences.add(other));
        assert!(!offences.add(peer), "after the block it starts anew");
    }

    #[tokio::test(start_paused = true)]
    async fn old_offences_are_forgotten() {
        let offences = Offences::default();
        let peer = PeerId::random();
        offences.add(peer);
        offences.add(peer);
        tokio::time::advance(FORGOTTEN_AFTER).await;
        assert!(!offences.add(peer));
    }

    #[tokio::test(start_paused = true)]
    async fn the_list_is_bounded() {
        let offences = Offences::default();
        (0..2 * MAX_OFFENDERS).for_each(|_| {
            offences.add(PeerId::random());
        });
        assert_eq!(offences.0.lock().len(), MAX_OFFENDERS);
    }
}
