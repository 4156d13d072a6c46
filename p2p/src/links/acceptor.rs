//! Takes the links that peer gateways open, and runs a session for each.
//!
//! A gateway that comes back before its old link is known to be dead has a new one that counts: the old one ends at once.

use std::collections::HashMap;
use std::sync::Arc;

use libp2p::PeerId;
use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::heard::Heard;
use super::listener::{End, Listener};
use super::neighbours::Neighbours;
use crate::control::{FORGOTTEN_AFTER, Offences, Rules};
use crate::directory::Directory;
use crate::network::Network;
use crate::streams::InboundStream;

/// Takes links.
pub(crate) struct LinkAcceptor {
    pub(crate) network: Network,
    pub(crate) directory: Directory,
    pub(crate) rules: Arc<Rules>,
    pub(crate) offences: Arc<Offences>,
    pub(crate) neighbours: Neighbours,
    /// The peers that are listened to, each with what its keeper is told when it comes.
    pub(crate) peers: HashMap<PeerId, Arc<Notify>>,
    /// What each of them has told so far.
    pub(crate) heard: HashMap<PeerId, Heard>,
}

impl LinkAcceptor {
    /// Runs until it is cancelled or no stream can come any more. All links are over then.
    pub(crate) async fn run(self, mut inbound: mpsc::Receiver<InboundStream>, stop: CancellationToken) {
        let acceptor = Arc::new(self);
        let mut sessions = JoinSet::new();
        let mut running: HashMap<PeerId, AbortHandle> = HashMap::new();
        let mut number = 0;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                stream = inbound.recv() => match stream {
                    None => break,
                    Some(stream) if acceptor.peers.contains_key(&stream.peer) => {
                        number += 1;
                        let peer = stream.peer;
                        let session = sessions.spawn(acceptor.clone().serve(stream, number));
                        if let Some(older) = running.insert(peer, session) {
                            older.abort();
                        }
                    }
                    Some(stream) => debug!(peer = %stream.peer, "a peer that is no peer gateway asked for a link"),
                },
                Some(ended) = sessions.join_next() => {
                    if let Err(error) = ended && error.is_panic() {
                        warn!(%error, "a link failed badly");
                    }
                }
            }
        }
        sessions.shutdown().await;
    }

    async fn serve(self: Arc<Self>, stream: InboundStream, number: u64) {
        let gateway = stream.peer;
        let Ok(stream) = stream.serve().await else {
            return;
        };
        if let Some(keeper) = self.peers.get(&gateway) {
            keeper.notify_one();
        }
        info!(%gateway, "a peer gateway tells of its nodes");
        let linked = self.neighbours.link(gateway, number);
        let Some(heard) = self.heard.get(&gateway) else { return };
        let end = Listener::new(gateway, stream, &self.directory, &self.rules, linked, heard).run().await;
        match &end {
            End::Offence(what) => warn!(%gateway, what, "a peer gateway broke the protocol; the link is closed"),
            End::Closed | End::Silent => info!(%gateway, ?end, "a peer gateway tells no more; its nodes are out"),
        }
        if matches!(end, End::Offence(_)) && self.offences.add(gateway) {
            warn!(%gateway, "blocked a peer gateway that broke the protocol again and again");
            self.network.block(gateway, FORGOTTEN_AFTER).await;
        }
    }
}
