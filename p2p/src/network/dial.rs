//! Dials that are under way, and what comes of them.

use std::collections::HashMap;

use libp2p::PeerId;
use libp2p::swarm::{ConnectionId, DialError};
use tokio::sync::oneshot;

use crate::streams::AlreadyConnected;

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DialFailed {
    /// There is nothing to dial.
    #[error("there is no address")]
    NoAddress,
    /// The swarm has stopped.
    #[error("this peer is stopping")]
    Stopped,
    /// The address is our own.
    #[error("the address is this peer's own")]
    Ourselves,
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

type Reply = oneshot::Sender<Result<PeerId, DialFailed>>;

/// Who waits for which dial. As long as those who dial are bounded, this is.
#[derive(Debug, Default)]
pub(super) struct Dials(HashMap<ConnectionId, Reply>);

impl Dials {
    pub(super) fn add(&mut self, connection: ConnectionId, reply: Reply) {
        self.0.insert(connection, reply);
    }

    pub(super) fn connected(&mut self, connection: ConnectionId, peer: PeerId) {
        self.reply(connection, Ok(peer));
    }

    pub(super) fn failed(&mut self, connection: ConnectionId, peer: Option<PeerId>, error: &DialError) {
        let outcome = match error {
            DialError::Denied { cause } => match cause.downcast_ref::<AlreadyConnected>() {
                Some(AlreadyConnected(peer)) => Ok(*peer),
                None => Err(DialFailed::Failed(cause.to_string())),
            },
            DialError::DialPeerConditionFalse(_) => {
                peer.ok_or_else(|| DialFailed::Failed("a dial is under way already".to_owned()))
            }
            DialError::LocalPeerId { .. } => Err(DialFailed::Ourselves),
            DialError::NoAddresses => Err(DialFailed::NoAddress),
            DialError::WrongPeerId { obtained, .. } => {
                Err(DialFailed::Failed(format!("another peer answers there: {obtained}")))
            }
            DialError::Aborted => Err(DialFailed::Failed("the dial was given up".to_owned())),
            DialError::Transport(attempts) => Err(DialFailed::Failed(in_words(attempts))),
        };
        self.reply(connection, outcome);
    }

    fn reply(&mut self, connection: ConnectionId, outcome: Result<PeerId, DialFailed>) {
        if let Some(reply) = self.0.remove(&connection) {
            // Whoever dialled may have left; the connection then idles out.
            let _ = reply.send(outcome);
        }
    }
}

/// One line for all addresses that were tried, each with the innermost cause, which is the one that people know.
fn in_words(attempts: &[(libp2p::Multiaddr, libp2p::TransportError<std::io::Error>)]) -> String {
    let one = |(address, error): &(_, libp2p::TransportError<std::io::Error>)| {
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        format!("{address}: {cause}")
    };
    attempts.iter().take(8).map(one).collect::<Vec<_>>().join("; ")
}
