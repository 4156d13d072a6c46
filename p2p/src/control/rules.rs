//! What adverts are held against, wherever they come from.

use std::time::Duration;

use libp2p::PeerId;
use tokio::sync::watch;

use super::ControlTimings;
use crate::admission::{Admissions, NotAdmitted};
use crate::clock;
use crate::offer::{Offer, OfferError};
use crate::roster::Roster;
use crate::wire::Advert;

/// How far a node's clock may be off.
pub(crate) const CLOCK_TOLERANCE: Duration = Duration::from_secs(300);
/// An advert may not claim to count for longer.
const LONGEST_LIFETIME: Duration = Duration::from_secs(600);

/// What adverts are held against, and what nodes are told.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) timings: ControlTimings,
    /// Nano-USD per million tokens.
    pub(crate) max_price: i64,
    /// Who may be a node.
    pub(crate) admissions: Admissions,
    /// Other gateways that nodes may dial.
    pub(crate) other_gateways: watch::Receiver<Vec<String>>,
    /// Where nodes are entered for other gateways to be told of. None: there are none.
    pub(crate) roster: Option<Roster>,
}

impl Rules {
    /// Checks what an advert says.
    ///
    /// # Errors
    /// The field, and what is wrong with it.
    pub(crate) fn check(&self, advert: &Advert) -> Result<(), OfferError> {
        let tolerance = u64::try_from(CLOCK_TOLERANCE.as_millis()).unwrap_or(u64::MAX);
        let longest = u64::try_from(LONGEST_LIFETIME.as_millis()).unwrap_or(u64::MAX);
        if advert.issued_at_ms.abs_diff(clock::unix_ms()) > tolerance {
            return Err(OfferError::new("issued_at_ms", "the clocks differ by more than five minutes; set yours"));
        }
        if advert.expires_at_ms <= advert.issued_at_ms || advert.expires_at_ms - advert.issued_at_ms > longest {
            return Err(OfferError::new(
                "expires_at_ms",
                "an advert must count for more than nothing and 10 minutes at most",
            ));
        }
        advert.offer.check(self.max_price)
    }

    /// Asks whether the node may be here with this offer.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn admit(&self, node: PeerId, offer: &Offer) -> Result<(), NotAdmitted> {
        let admission = self.admissions.borrow().clone();
        admission.admit(node, offer.operator.as_deref())
    }
}

/// How long an advert counts. It begins with its arrival, on our clock: the node's may be off.
pub(crate) fn lifetime(advert: &Advert) -> Duration {
    Duration::from_millis(advert.expires_at_ms.saturating_sub(advert.issued_at_ms))
}

/// Waits for another value. Where nobody can set one any more the last one stays, so this waits forever.
pub(crate) async fn next_change<T>(watched: &mut watch::Receiver<T>) {
    if watched.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
