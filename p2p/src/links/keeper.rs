//! Keeps the link to one peer gateway: dials it, tells, and begins again.

use std::sync::Arc;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use super::neighbours::Neighbours;
use super::teller::{Lost, Teller};
use crate::backoff::Backoff;
use crate::control::ControlTimings;
use crate::network::{Announced, DialFailed, Network};
use crate::roster::Roster;
use crate::streams::{GATEWAYS, OpenError, Streams};

/// A link that lasted this long was a good one: the next attempt comes quickly.
const GOOD_LINK: Duration = Duration::from_secs(2);

/// What all links of a gateway share.
#[derive(Debug, Clone)]
pub(crate) struct Linking {
    pub(crate) network: Network,
    pub(crate) streams: Streams,
    pub(crate) roster: Roster,
    pub(crate) neighbours: Neighbours,
    pub(crate) announced: Announced,
    pub(crate) timings: ControlTimings,
}

/// The link to one gateway.
#[derive(Debug)]
pub(crate) struct LinkKeeper {
    pub(crate) linking: Linking,
    pub(crate) gateway: PeerId,
    /// Where it was configured to be.
    pub(crate) addresses: Vec<Multiaddr>,
    /// Tells that the gateway has just come, so that waiting makes no sense.
    pub(crate) came: Arc<Notify>,
}

impl LinkKeeper {
    /// Keeps the link for ever.
    pub(crate) async fn keep(self) {
        let mut backoff = Backoff::default();
        // What was said last, so that a gateway that is away for a day is one line and not thousands.
        let mut said = None;
        loop {
            let started = Instant::now();
            let why = match self.attempt().await {
                Ok(lost) => {
                    if matches!(lost, Lost::Silent) {
                        self.linking.network.disconnect(self.gateway).await;
                    }
                    said = None;
                    format!("the link ended: {lost}")
                }
                Err(why) => why,
            };
            if started.elapsed() >= GOOD_LINK {
                backoff.reset();
            }
            if said.as_ref() != Some(&why) {
                warn!(gateway = %self.gateway, why, "no link to a peer gateway; trying on");
                said = Some(why);
            }
            tokio::select! {
                () = sleep(backoff.next()) => {}
                () = self.came.notified() => {}
            }
        }
    }

    /// Tells until the link is over.
    ///
    /// # Errors
    /// Why there was no link.
    async fn attempt(&self) -> Result<Lost, String> {
        let Linking { network, streams, roster, announced, timings, .. } = &self.linking;
        let addresses = self.where_it_may_be();
        if !addresses.is_empty() {
            match network.dial(Some(self.gateway), addresses).await {
                Ok(_) => {}
                // It may dial us in the same moment; the stream below will tell.
                Err(error @ DialFailed::Failed(_)) => debug!(gateway = %self.gateway, %error, "dial failed"),
                Err(error) => return Err(error.to_string()),
            }
        }
        let stream = streams.open(self.gateway, GATEWAYS).await.map_err(|error| match error {
            OpenError::NotServed | OpenError::Unsupported => {
                "it does not take links from this gateway; name this one there with --peer-gateway".to_owned()
            }
            other => other.to_string(),
        })?;
        info!(gateway = %self.gateway, "linked to a peer gateway");
        Ok(Teller::new(stream, roster.feed(), announced.clone(), *timings).run().await)
    }

    fn where_it_may_be(&self) -> Vec<Multiaddr> {
        let mut addresses = self.addresses.clone();
        for address in self.linking.neighbours.addresses(self.gateway) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }
}
