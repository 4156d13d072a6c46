//! How bytes travel: QUIC, and TCP + noise + yamux, with names resolved by DNS.
//!
//! The bounds of the multiplexers follow from the bound on streams. Yamux counts the streams of both directions, and ends
//! the whole connection at its bound; so it gets room for both directions and for streams that are closed on one side
//! only, and the bound that a peer meets first is ours, which costs it one stream. QUIC makes the opener wait instead.

use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, OrTransport, dummy::DummyTransport};
use libp2p::core::upgrade::Version;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{PeerId, Swarm, Transport, dns, mdns, noise, quic, swarm, tcp, yamux};
use tracing::warn;

use super::behaviour::Behaviour;
use super::{NetworkConfig, StartError, dht, limits, throttle};
use crate::identity::Identity;
use crate::streams;

/// Time for a TCP connection's handshakes.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Streams beyond the bounds that a multiplexer may hold: those being opened, and those not yet closed on both sides.
const SLACK: usize = 256;
/// How often mDNS asks who is there. A gateway that starts later is found at the next question.
const MDNS_INTERVAL: Duration = Duration::from_secs(5);
/// How long an answer to mDNS holds.
const MDNS_TTL: Duration = Duration::from_secs(60);

/// A swarm that listens nowhere yet.
pub(super) fn swarm(
    identity: &Identity,
    config: &NetworkConfig,
    streams: streams::Behaviour,
) -> Result<Swarm<Behaviour>, StartError> {
    let behaviour = Behaviour {
        blocked: libp2p::allow_block_list::Behaviour::default(),
        throttle: throttle::Behaviour::new(),
        limits: limits::Behaviour::new(config.max_connections),
        mdns: Toggle::from(config.mdns.then(|| multicast(identity.peer_id())).flatten()),
        kad: Toggle::from(config.dht.as_ref().map(|dht| dht::behaviour(identity.peer_id(), dht))),
        streams,
    };
    let settings = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(config.idle_timeout)
        // Not lazily: over QUIC, a message to the DHT that wants no answer is lost when its stream closes before the far
        // side has answered the negotiation. Our own streams wait for a greeting in any case, which comes with that answer.
        .with_substream_upgrade_protocol_override(Version::V1)
        .with_max_negotiating_inbound_streams(config.streams.max_inbound_per_peer.max(1));
    Ok(Swarm::new(transport(identity, config)?, behaviour, identity.peer_id(), settings))
}

fn transport(identity: &Identity, config: &NetworkConfig) -> Result<Boxed<(PeerId, StreamMuxerBox)>, StartError> {
    let encryption =
        noise::Config::new(identity.keypair()).map_err(|error| StartError::Encryption(error.to_string()))?;
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(encryption)
        .multiplex(yamux_config(config.streams.max_inbound_per_peer))
        .timeout(HANDSHAKE_TIMEOUT)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let quic = quic::tokio::Transport::new(quic_config(identity, config.streams.max_inbound_per_peer))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let either = OrTransport::new(quic, tcp).map(|either, _| either.into_inner()).boxed();
    Ok(match &config.resolver {
        Some(servers) => dns::tokio::Transport::custom(either, servers.clone(), dns::ResolverOpts::default()).boxed(),
        None => resolving(either),
    })
}

/// Resolves names as the system does. Where the system says nothing of that, addresses with names fail and others work.
fn resolving(inner: Boxed<(PeerId, StreamMuxerBox)>) -> Boxed<(PeerId, StreamMuxerBox)> {
    if let Err(error) = dns::tokio::Transport::system(DummyTransport::<()>::new()) {
        warn!(%error, "the system has no DNS configuration; addresses with names will not be found");
        let nowhere = dns::ResolverConfig::from_parts(None, Vec::new(), Vec::new());
        return dns::tokio::Transport::custom(inner, nowhere, dns::ResolverOpts::default()).boxed();
    }
    match dns::tokio::Transport::system(inner) {
        Ok(transport) => transport.boxed(),
        // It worked a moment ago; a transport that reaches nobody is all that is left.
        Err(error) => {
            warn!(%error, "the system's DNS configuration vanished");
            DummyTransport::new().boxed()
        }
    }
}

fn yamux_config(max_inbound: usize) -> yamux::Config {
    let mut yamux = yamux::Config::default();
    // Bounded by yamux' receive window of 1 GiB, of which each stream has 256 KiB.
    yamux.set_max_num_streams((2 * max_inbound + SLACK).min(4096));
    yamux
}

fn quic_config(identity: &Identity, max_inbound: usize) -> quic::Config {
    let mut quic = quic::Config::new(identity.keypair());
    quic.max_concurrent_stream_limit = u32::try_from(max_inbound + SLACK).unwrap_or(u32::MAX);
    quic
}

/// Looks around on the local network. None where that is impossible; peers then need addresses.
fn multicast(peer: PeerId) -> Option<mdns::tokio::Behaviour> {
    let config = mdns::Config { ttl: MDNS_TTL, query_interval: MDNS_INTERVAL, enable_ipv6: false };
    match mdns::tokio::Behaviour::new(config, peer) {
        Ok(behaviour) => Some(behaviour),
        Err(error) => {
            warn!(%error, "mDNS is not possible here; peers are only found by address");
            None
        }
    }
}
