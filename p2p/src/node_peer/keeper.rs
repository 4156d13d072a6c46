//! Keeps one gateway: dials it, talks to it, and begins again.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use super::addresses::Addresses;
use super::status::StatusBoard;
use crate::backoff::Backoff;
use crate::control::{ControlTimings, Event, NodeSide, Sources};
use crate::identity::Identity;
use crate::network::{DialFailed, Network};
use crate::offer::{Load, Offer};
use crate::streams::{CONTROL, OpenError, Streams};

/// A session that lasted this long was a good one: the next attempt comes quickly.
const GOOD_SESSION: Duration = Duration::from_secs(2);

/// A gateway that was only heard of is given up after this many failures in a row; it may be heard of again.
const GIVEN_UP_AFTER: u32 = 20;

/// Addresses that are learned from one message at most, and that wait to be looked at.
pub(super) const MAX_LEARNED: usize = 80;

/// What all keepers of a node share.
#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) network: Network,
    pub(super) streams: Streams,
    pub(super) identity: Identity,
    pub(super) seq: AtomicU64,
    pub(super) timings: ControlTimings,
    pub(super) offer: watch::Receiver<Offer>,
    pub(super) load: watch::Receiver<Load>,
    pub(super) draining: watch::Receiver<bool>,
    pub(super) board: StatusBoard,
    /// Gateways that may be connected at a time.
    pub(super) places: Semaphore,
}

/// A gateway, as far as it is known before it is dialled.
#[derive(Debug)]
pub(super) struct Target {
    /// Who it must be. None: whoever answers.
    pub(super) peer: Option<PeerId>,
    /// Where it may be reached.
    pub(super) addresses: Mutex<Addresses>,
    /// Whether it was configured, so that it is never given up.
    pub(super) is_configured: bool,
}

/// How an attempt ended.
enum Outcome {
    /// There was a session.
    Ended { lasted: Duration, why: String },
    /// Another keeper has this gateway.
    Taken(PeerId),
    /// There was none.
    Failed(String),
    /// It is no gateway, and never will be.
    Wrong(String),
}

impl Keeping {
    /// Keeps a gateway until it turns out to be none. Those that were configured are kept for ever.
    pub(super) async fn keep(&self, target: &Target, learned: &mpsc::Sender<String>) {
        let mut backoff = Backoff::default();
        loop {
            let Ok(place) = self.places.acquire().await else {
                return;
            };
            let outcome = self.attempt(target, learned).await;
            drop(place);
            match outcome {
                Outcome::Ended { lasted, why } => {
                    info!(why, "lost a gateway");
                    if lasted >= GOOD_SESSION {
                        backoff.reset();
                    }
                }
                Outcome::Taken(peer) => {
                    self.board.until_left(peer).await;
                    backoff.reset();
                }
                Outcome::Failed(why) => {
                    debug!(why, "could not reach a gateway");
                    self.board.failed(&why);
                    if !target.is_configured && backoff.failures() >= GIVEN_UP_AFTER {
                        return;
                    }
                }
                Outcome::Wrong(why) if target.is_configured => {
                    warn!(why, "a configured gateway is none");
                    self.board.failed(&why);
                }
                Outcome::Wrong(why) => {
                    debug!(why, "a peer that was found is no gateway");
                    return;
                }
            }
            sleep(backoff.next()).await;
        }
    }

    async fn attempt(&self, target: &Target, learned: &mpsc::Sender<String>) -> Outcome {
        let addresses = target.addresses.lock().all();
        let shown = addresses.iter().map(Multiaddr::to_string).collect::<Vec<_>>().join(", ");
        let peer = match self.network.dial(target.peer, addresses).await {
            Ok(peer) => peer,
            Err(error @ DialFailed::Ourselves) => return Outcome::Wrong(format!("{shown}: {error}")),
            Err(error) => return Outcome::Failed(error.to_string()),
        };
        if !self.board.enter(peer) {
            return Outcome::Taken(peer);
        }
        let entered = Entered { board: &self.board, peer, why: "the session was given up".to_owned() };
        let outcome = match self.streams.open(peer, CONTROL).await {
            Ok(stream) => {
                info!(gateway = %peer, addresses = shown, "connected to a gateway");
                let started = Instant::now();
                let side = NodeSide::new(stream, self.sources(), |event| self.on_event(peer, event, learned));
                let why = side.run().await.to_string();
                Outcome::Ended { lasted: started.elapsed(), why }
            }
            Err(OpenError::Unsupported) => Outcome::Wrong(format!("{shown}: the peer there is no gateway")),
            Err(error) => Outcome::Failed(format!("{shown}: {error}")),
        };
        entered.leave(&outcome);
        // The next attempt starts with a fresh connection; and one to a peer that is no gateway is good for nothing.
        self.network.disconnect(peer).await;
        outcome
    }

    fn sources(&self) -> Sources<'_> {
        Sources {
            identity: &self.identity,
            seq: &self.seq,
            timings: self.timings,
            offer: self.offer.clone(),
            load: self.load.clone(),
            draining: self.draining.clone(),
        }
    }

    fn on_event(&self, gateway: PeerId, event: Event, learned: &mpsc::Sender<String>) {
        match event {
            Event::Accepted => self.board.update(gateway, |status| status.accepted = true),
            Event::Drained => self.board.update(gateway, |status| status.drained = true),
            Event::Refused { reason, field } => {
                // Each advert is refused anew, three times a minute; the operator reads it once.
                let (said, why) = (field.clone(), reason.clone());
                if self.board.refused(gateway, reason, field) {
                    warn!(%gateway, reason = why, field = said, "a gateway refused what this node said");
                }
            }
            Event::Gateways(addresses) => {
                for address in addresses.into_iter().take(MAX_LEARNED) {
                    // Where there is no room it is learned another time.
                    let _ = learned.try_send(address);
                }
            }
        }
    }
}

/// A gateway on the status board. Dropping it takes it off, also when the keeper is stopped.
struct Entered<'a> {
    board: &'a StatusBoard,
    peer: PeerId,
    why: String,
}

impl Entered<'_> {
    fn leave(mut self, outcome: &Outcome) {
        if let Outcome::Ended { why, .. } | Outcome::Failed(why) | Outcome::Wrong(why) = outcome {
            self.why.clone_from(why);
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.board.leave(self.peer, &self.why);
    }
}
