//! How often one peer, and one address, may connect.
//!
//! A handshake costs us as much as the one who asks for it, and identities cost nothing. So attempts are counted twice:
//! by address, before the handshake, generously, because a whole rack of nodes may stand behind one; and by peer, after
//! it. Who goes on regardless is blocked for a while, which is said once. What is remembered is bounded: those that have
//! been quiet make room first.

mod meter;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, ToSwarm, dummy};
use libp2p::{Multiaddr, PeerId};

use meter::{Allowance, MAX_REMEMBERED, Meters, Verdict};

const OF_ADDRESS: Allowance =
    Allowance { burst: 4096.0, per_second: 64.0, patience: 2048, blocked: Duration::from_secs(60) };
const OF_PEER: Allowance = Allowance { burst: 32.0, per_second: 1.0, patience: 64, blocked: Duration::from_secs(600) };

/// Who is blocked from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A peer; whoever hears of it blocks it for this long.
    Peer(PeerId, Duration),
    /// An address, for this long. This behaviour sees to it.
    Address(IpAddr, Duration),
}

/// An attempt too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts to connect")]
struct TooOften;

/// Denies connections that are asked for too often.
#[derive(Debug)]
pub(super) struct Behaviour {
    addresses: Meters<IpAddr>,
    peers: Meters<PeerId>,
    /// At most one for each meter that there is room for.
    events: VecDeque<Event>,
}

impl Behaviour {
    pub(super) fn new() -> Self {
        Self { addresses: Meters::new(OF_ADDRESS), peers: Meters::new(OF_PEER), events: VecDeque::new() }
    }

    fn judge(&mut self, verdict: Verdict, event: impl FnOnce() -> Event) -> Result<(), ConnectionDenied> {
        if verdict == Verdict::Blocked && self.events.len() < MAX_REMEMBERED {
            self.events.push_back(event());
        }
        if verdict == Verdict::Taken { Ok(()) } else { Err(ConnectionDenied::new(TooOften)) }
    }
}

/// The address that is counted: whoever has one of IPv6 has the lower half of it for free.
fn source(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(Ipv6Addr::from(u128::from(ip) >> 64 << 64).into()),
        _ => None,
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Event;

    fn handle_pending_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let Some(address) = source(remote) else { return Ok(()) };
        let verdict = self.addresses.attempt(address);
        self.judge(verdict, || Event::Address(address, OF_ADDRESS.blocked))
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        let verdict = self.peers.attempt(peer);
        self.judge(verdict, || Event::Peer(peer, OF_PEER.blocked)).map(|()| dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Event, Infallible>> {
        // Events only arise while the swarm asks, and it polls after that.
        self.events.pop_front().map_or(Poll::Pending, |event| Poll::Ready(ToSwarm::GenerateEvent(event)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(throttle: &mut Behaviour, from: &str, count: usize) -> usize {
        let (here, there): (Multiaddr, Multiaddr) = ("/ip4/192.0.2.1/tcp/1".parse().unwrap(), from.parse().unwrap());
        let connection = ConnectionId::new_unchecked(1);
        (0..count).filter(|_| throttle.handle_pending_inbound_connection(connection, &here, &there).is_ok()).count()
    }

    fn arrivals(throttle: &mut Behaviour, peer: PeerId, count: usize) -> usize {
        let address: Multiaddr = "/ip4/192.0.2.1/tcp/1".parse().unwrap();
        let connection = ConnectionId::new_unchecked(1);
        let mut arrive =
            || throttle.handle_established_inbound_connection(connection, peer, &address, &address).is_ok();
        (0..count).filter(|_| arrive()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn ten_thousand_attempts_from_one_address_are_throttled_then_blocked_and_said_once() {
        let mut throttle = Behaviour::new();
        assert_eq!(attempts(&mut throttle, "/ip4/198.51.100.7/tcp/4", 10_000), 4096);
        assert_eq!(throttle.events.len(), 1, "{:?}", throttle.events);
        assert_eq!(attempts(&mut throttle, "/ip4/198.51.100.8/tcp/4", 10), 10, "others are not meant");
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(attempts(&mut throttle, "/ip4/198.51.100.7/tcp/5", 10), 0);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(attempts(&mut throttle, "/ip4/198.51.100.7/tcp/5", 10), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn ten_thousand_connections_of_one_peer_block_it_once() {
        let (mut throttle, peer) = (Behaviour::new(), PeerId::random());
        assert_eq!(arrivals(&mut throttle, peer, 10_000), 32);
        assert_eq!(throttle.events, [Event::Peer(peer, Duration::from_secs(600))]);
        assert_eq!(arrivals(&mut throttle, PeerId::random(), 10), 10, "others are not meant");
    }

    #[tokio::test(start_paused = true)]
    async fn who_dials_as_often_as_an_honest_node_is_never_denied() {
        let (mut throttle, peer) = (Behaviour::new(), PeerId::random());
        for _ in 0..1000 {
            assert_eq!(arrivals(&mut throttle, peer, 1), 1);
            tokio::time::advance(Duration::from_millis(2500)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded_and_who_floods_is_not_forgotten_for_it() {
        let mut throttle = Behaviour::new();
        let flooding = PeerId::random();
        arrivals(&mut throttle, flooding, 40);
        for _ in 0..3 * MAX_REMEMBERED {
            arrivals(&mut throttle, PeerId::random(), 1);
        }
        assert!(throttle.peers.len() <= MAX_REMEMBERED);
        assert_eq!(arrivals(&mut throttle, flooding, 1), 0);
        for address in 0..3 * MAX_REMEMBERED {
            attempts(&mut throttle, &format!("/ip4/10.1.{}.{}/tcp/1", address / 256, address % 256), 1);
        }
        assert!(throttle.addresses.len() <= MAX_REMEMBERED);
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let of = |text: &str| source(&text.parse().unwrap()).unwrap();
        assert_eq!(of("/ip6/2001:db8::1/tcp/1"), of("/ip6/2001:db8::ffff:1/udp/1/quic-v1"));
        assert_ne!(of("/ip6/2001:db8::1/tcp/1"), of("/ip6/2001:db8:0:1::1/tcp/1"));
    }
}
