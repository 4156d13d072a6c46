//! The tasks of a gateway, and what they share.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::control::{Acceptor, Offences, Rules};
use crate::directory::Directory;
use crate::links::{Heard, LinkAcceptor, LinkKeeper, Linking, Neighbours, PeerGateways, Relay};
use crate::network::Network;
use crate::streams::{InboundStream, Streams};

/// How often the DHT is told of this gateway, at least. It would be believed for much longer; but a bootstrap that was
/// restarted knows nobody, and whoever comes new asks it in vain until gateways have told it.
const PROVIDED_EVERY: Duration = Duration::from_secs(30);

/// What the tasks share.
pub(super) struct Parts {
    pub(super) network: Network,
    pub(super) streams: Streams,
    pub(super) directory: Directory,
    pub(super) rules: Arc<Rules>,
    pub(super) offences: Arc<Offences>,
    pub(super) neighbours: Neighbours,
    pub(super) stop: CancellationToken,
}

impl Parts {
    /// Takes the control streams of nodes.
    pub(super) fn take_nodes(&self, inbound: mpsc::Receiver<InboundStream>, max_sessions: usize) -> JoinHandle<()> {
        let acceptor = Acceptor {
            network: self.network.clone(),
            directory: self.directory.clone(),
            rules: self.rules.clone(),
            offences: self.offences.clone(),
            max_sessions,
        };
        tokio::spawn(acceptor.run(inbound, self.stop.clone()))
    }

    /// Makes this gateway known in the DHT, and keeps it known.
    pub(super) fn provide(&self) -> JoinHandle<()> {
        let network = self.network.clone();
        let stop = self.stop.clone();
        tokio::spawn(async move {
            // Often at first: the peers that it begins with may start at the same time.
            let mut backoff = Backoff::up_to(PROVIDED_EVERY);
            let keep_known = async {
                loop {
                    network.provide().await;
                    tokio::time::sleep(backoff.next()).await;
                }
            };
            let _ = stop.run_until_cancelled(keep_known).await;
        })
    }

    /// Links this gateway to others: tells them of nodes, hears of theirs, and passes their requests on.
    pub(super) fn link(
        &self,
        gateways: PeerGateways,
        links: mpsc::Receiver<InboundStream>,
        relays: mpsc::Receiver<InboundStream>,
    ) -> Vec<JoinHandle<()>> {
        let Some(roster) = self.rules.roster.clone() else { return Vec::new() };
        let peers: HashMap<_, _> = gateways.keys().map(|peer| (*peer, Arc::new(Notify::new()))).collect();
        let relay = Relay {
            streams: self.streams.clone(),
            directory: self.directory.clone(),
            peers: peers.keys().copied().collect(),
        };
        let linking = Linking {
            network: self.network.clone(),
            streams: self.streams.clone(),
            roster,
            neighbours: self.neighbours.clone(),
            announced: self.network.announced().clone(),
            timings: self.rules.timings,
        };
        let mut tasks = vec![tokio::spawn(relay.run(relays, self.stop.clone()))];
        for (gateway, addresses) in gateways {
            let came = peers.get(&gateway).cloned().unwrap_or_default();
            let keeper = LinkKeeper { linking: linking.clone(), gateway, addresses, came };
            let stop = self.stop.clone();
            tasks.push(tokio::spawn(async move {
                let _ = stop.run_until_cancelled(keeper.keep()).await;
            }));
        }
        let acceptor = LinkAcceptor {
            network: self.network.clone(),
            directory: self.directory.clone(),
            rules: self.rules.clone(),
            offences: self.offences.clone(),
            neighbours: self.neighbours.clone(),
            heard: peers.keys().map(|peer| (*peer, Heard::default())).collect(),
            peers,
        };
        tasks.push(tokio::spawn(acceptor.run(links, self.stop.clone())));
        tasks
    }
}
