//! Listening, and knowing that it works.
//!
//! libp2p binds TCP ports so that others may bind them too: two gateways on one port would each get some of the nodes
//! and neither would notice. So the port is tried first without that permission.

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use futures::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, Swarm, TransportError};
use tokio::time::timeout;

use super::StartError;
use super::behaviour::Behaviour;
use crate::address::with_peer;

/// Time for all addresses to be listened on.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Listens on all of these. Gives back the addresses under which they can be reached so far.
pub(super) async fn listen(swarm: &mut Swarm<Behaviour>, wanted: &[Multiaddr]) -> Result<Vec<Multiaddr>, StartError> {
    let failed = |address: &Multiaddr, reason: String| StartError::Listen { address: address.clone(), reason };
    let mut waiting = Vec::new();
    for address in wanted {
        check_free(address).map_err(|reason| failed(address, reason))?;
        let id = swarm.listen_on(address.clone()).map_err(|error| failed(address, in_words(&error)))?;
        waiting.push((id, address.clone()));
    }
    let mut reached = Vec::new();
    let mut up: HashSet<ListenerId> = HashSet::new();
    while let Some((_, late)) = waiting.iter().find(|(id, _)| !up.contains(id)) {
        let event = timeout(TIMEOUT, swarm.select_next_some()).await;
        match event.map_err(|_| failed(late, "the system did not answer in time".to_owned()))? {
            SwarmEvent::NewListenAddr { listener_id, address } => {
                up.insert(listener_id);
                reached.push(with_peer(address, *swarm.local_peer_id()));
            }
            SwarmEvent::ListenerClosed { listener_id, reason, .. } => {
                let reason = reason.err().map_or_else(|| "it closed at once".to_owned(), |error| error.to_string());
                return Err(failed(address_of(&waiting, listener_id, late), reason));
            }
            SwarmEvent::ListenerError { listener_id, error } => {
                return Err(failed(address_of(&waiting, listener_id, late), error.to_string()));
            }
            _ => {}
        }
    }
    Ok(reached)
}

fn address_of<'a>(waiting: &'a [(ListenerId, Multiaddr)], id: ListenerId, other: &'a Multiaddr) -> &'a Multiaddr {
    waiting.iter().find(|(listener, _)| *listener == id).map_or(other, |(_, address)| address)
}

fn check_free(address: &Multiaddr) -> Result<(), String> {
    let mut parts = address.iter();
    let ip = match parts.next() {
        Some(Protocol::Ip4(ip)) => ip.into(),
        Some(Protocol::Ip6(ip)) => ip.into(),
        _ => return Ok(()),
    };
    match parts.next() {
        Some(Protocol::Tcp(port)) if port != 0 => match TcpListener::bind(SocketAddr::new(ip, port)) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        },
        _ => Ok(()),
    }
}

fn in_words(error: &TransportError<std::io::Error>) -> String {
    match error {
        TransportError::MultiaddrNotSupported(_) => {
            "no transport for it; use /ip4/…/tcp/… or /ip4/…/udp/…/quic-v1".to_owned()
        }
        TransportError::Other(error) => {
            let mut cause: &dyn std::error::Error = error;
            while let Some(inner) = cause.source() {
                cause = inner;
            }
            cause.to_string()
        }
    }
}
