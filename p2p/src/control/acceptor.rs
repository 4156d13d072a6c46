//! The gateway's task that takes control streams and runs a session for each.
//!
//! A peer has one session. When it comes back over a new connection before its old one is known to be dead, the new one
//! counts and the old connection is closed; a second control stream over the same connection is an offence.

use std::collections::HashMap;
use std::sync::Arc;

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::gateway_side::{End, GatewaySide};
use super::{FORGOTTEN_AFTER, Offences, Rules};
use crate::directory::Directory;
use crate::network::Network;
use crate::streams::InboundStream;

/// Takes control streams.
pub(crate) struct Acceptor {
    pub(crate) network: Network,
    pub(crate) directory: Directory,
    pub(crate) rules: Arc<Rules>,
    pub(crate) offences: Arc<Offences>,
    /// Sessions at a time; further streams are dropped.
    pub(crate) max_sessions: usize,
}

/// A session that runs.
struct Running {
    connection: ConnectionId,
    /// Ends it because another takes its place.
    superseded: CancellationToken,
    number: u64,
}

impl Acceptor {
    /// Runs until it is cancelled or no stream can come any more. All sessions are over then.
    pub(crate) async fn run(self, mut inbound: mpsc::Receiver<InboundStream>, stop: CancellationToken) {
        let mut sessions = JoinSet::new();
        let mut running: HashMap<PeerId, Running> = HashMap::new();
        let mut number = 0;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                stream = inbound.recv() => match stream {
                    None => break,
                    Some(stream) => {
                        number += 1;
                        self.accept(stream, number, &mut sessions, &mut running).await;
                    }
                },
                Some(ended) = sessions.join_next() => match ended {
                    Ok((peer, number)) => {
                        if running.get(&peer).is_some_and(|session| session.number == number) {
                            running.remove(&peer);
                        }
                    }
                    // Its registration was dropped with it, so that no node is left behind.
                    Err(error) => warn!(%error, "a control session failed"),
                },
            }
        }
        sessions.shutdown().await;
    }

    async fn accept(
        &self,
        stream: InboundStream,
        number: u64,
        sessions: &mut JoinSet<(PeerId, u64)>,
        running: &mut HashMap<PeerId, Running>,
    ) {
        let (peer, connection) = (stream.peer, stream.connection);
        match running.get(&peer) {
            Some(session) if session.connection == connection => {
                if !session.superseded.is_cancelled() && self.offences.add(peer) {
                    self.network.block(peer, FORGOTTEN_AFTER).await;
                }
                return;
            }
            Some(session) => session.superseded.cancel(),
            None if sessions.len() >= self.max_sessions => {
                debug!(%peer, "no room for another control session");
                return;
            }
            None => {}
        }
        let superseded = CancellationToken::new();
        running.insert(peer, Running { connection, superseded: superseded.clone(), number });
        let session = Session {
            network: self.network.clone(),
            directory: self.directory.clone(),
            rules: self.rules.clone(),
            offences: self.offences.clone(),
        };
        sessions.spawn(async move {
            session.run(stream, superseded).await;
            (peer, number)
        });
    }
}

struct Session {
    network: Network,
    directory: Directory,
    rules: Arc<Rules>,
    offences: Arc<Offences>,
}

impl Session {
    async fn run(self, stream: InboundStream, superseded: CancellationToken) {
        let (peer, connection) = (stream.peer, stream.connection);
        let Ok(stream) = stream.serve().await else {
            return;
        };
        let offences = self.offences.clone();
        let offend = move |peer| offences.add(peer);
        let side = GatewaySide::new(peer, stream, &self.directory, &self.rules, &offend);
        let end = tokio::select! {
            end = side.run() => Some(end),
            () = superseded.cancelled() => None,
        };
        match end {
            Some(End::Blocked) => {
                warn!(%peer, "blocked a peer that broke the protocol again and again");
                self.network.block(peer, FORGOTTEN_AFTER).await;
            }
            Some(reason) => info!(%peer, ?reason, "node left"),
            None => debug!(%peer, "node came back over a new connection"),
        }
        // Without a control stream the connection is good for nothing.
        self.network.close(connection).await;
    }
}
