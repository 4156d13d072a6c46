//! The newest advert of each node that a peer gateway told of, whichever of its links it told it on.
//!
//! A signature says who wrote an advert, and not when it was last true. Within a link sequence numbers must grow; without
//! this, a gateway that links anew could tell of an offer that the node has withdrawn since, such as an older price. How
//! long that would be believed is bound by the clock, so nothing needs to be remembered for longer.

use std::collections::HashMap;
use std::time::Duration;

use libp2p::PeerId;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::MAX_NODES;
use crate::control::CLOCK_TOLERANCE;

/// An advert that was taken may bear a time so far ahead, and is refused when it is as far behind.
const REMEMBERED: Duration = CLOCK_TOLERANCE.saturating_mul(2);
/// Nodes that are remembered: those there are, and as many that left of late.
const MOST: usize = 2 * MAX_NODES;

/// See the module. Of one peer gateway.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<HashMap<PeerId, Newest>>);

#[derive(Debug, Clone, Copy)]
struct Newest {
    seq: u64,
    told: Instant,
}

impl Heard {
    /// Notes an advert. The same one may be told again: a new link begins with all that there is.
    ///
    /// # Errors
    /// Why it is not to be believed, for the log.
    pub(super) fn note(&self, node: PeerId, seq: u64) -> Result<(), &'static str> {
        let (mut newest, now) = (self.0.lock(), Instant::now());
        let is_remembered = |newest: &Newest| now.duration_since(newest.told) < REMEMBERED;
        match newest.get(&node).filter(|known| is_remembered(known)) {
            Some(known) if seq < known.seq => return Err("it was told of a newer advert before"),
            Some(_) => {}
            None if newest.len() >= MOST => {
                newest.retain(|_, known| is_remembered(known));
                if newest.len() >= MOST {
                    return Err("too many nodes were told of in a short time");
                }
            }
            None => {}
        }
        newest.insert(node, Newest { seq, told: now });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_older_advert_is_refused_until_the_clock_refuses_it() {
        let (heard, node) = (Heard::default(), PeerId::random());
        heard.note(node, 7).unwrap();
        heard.note(node, 7).unwrap();
        assert!(heard.note(node, 6).is_err());
        heard.note(PeerId::random(), 1).unwrap();
        heard.note(node, 9).unwrap();
        tokio::time::advance(REMEMBERED - Duration::from_secs(1)).await;
        assert!(heard.note(node, 8).is_err());
        tokio::time::advance(Duration::from_secs(1)).await;
        heard.note(node, 8).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded_and_forgotten() {
        let heard = Heard::default();
        (0..MOST).for_each(|_| heard.note(PeerId::random(), 1).unwrap());
        assert!(heard.note(PeerId::random(), 1).is_err());
        tokio::time::advance(REMEMBERED).await;
        heard.note(PeerId::random(), 1).unwrap();
        assert_eq!(heard.0.lock().len(), 1);
    }
}
