//! Nodes that break the protocol, over real connections.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::support::{PATIENCE, TCP, TRANSPORTS, gateway, gateway_with, node, request, until, until_routable};
use crate::clock::unix_ms;
use crate::network::{self, NetworkConfig, Started};
use crate::offer::tests::offer;
use crate::streams::{CONTROL, HTTP, OpenError, PeerStream, StreamLimits};
use crate::wire::{Advert, FrameReader, FromGateway, FromNode, LoadBody, sign_advert, write_frame};
use crate::{GatewayPeer, GatewayPeerConfig, Identity};

/// A peer that a test plays by hand.
struct Peer {
    identity: Identity,
    started: Started,
}

async fn peer() -> Peer {
    peer_with(StreamLimits::default()).await
}

async fn peer_with(streams: StreamLimits) -> Peer {
    peer_of(Identity::generate(), streams).await
}

async fn peer_of(identity: Identity, streams: StreamLimits) -> Peer {
    let config = NetworkConfig::dialling(streams, vec![HTTP]);
    let started = network::start(&identity, config).await.unwrap();
    Peer { identity, started }
}

impl Peer {
    async fn control(&self, gateway: &GatewayPeer) -> Result<PeerStream, OpenError> {
        let dialled = self.started.network.dial(Some(gateway.peer_id()), gateway.addresses()).await;
        dialled.map_err(|_| OpenError::NotConnected)?;
        self.started.streams.open(gateway.peer_id(), CONTROL).await
    }

    async fn advertise(&self, stream: &mut PeerStream) {
        let advert =
            Advert { seq: 1, issued_at_ms: unix_ms(), expires_at_ms: unix_ms() + 60_000, offer: offer("m", 5) };
        let signed = sign_advert(&advert, &self.identity).unwrap();
        write_frame(stream, FromNode::Advert(signed)).await.unwrap();
    }
}

/// Reads until the gateway ends the stream.
async fn until_closed(stream: PeerStream) {
    let mut reader = FrameReader::new(stream);
    timeout(PATIENCE, async { while let Ok(Some(_)) = reader.next::<FromGateway>().await {} }).await.unwrap();
}

/// Waits until the gateway takes no control stream even over a fresh connection.
async fn until_blocked(peer: &Peer, gateway: &GatewayPeer) {
    let tries = async {
        loop {
            peer.started.network.disconnect(gateway.peer_id()).await;
            while peer.started.streams.connections(gateway.peer_id()) > 0 {
                tokio::task::yield_now().await;
            }
            if peer.control(gateway).await.is_err() {
                return;
            }
        }
    };
    timeout(PATIENCE, tries).await.expect("the gateway should have blocked it");
}

#[tokio::test]
async fn three_oversized_frames_block_a_peer_and_nobody_else() {
    for transport in TRANSPORTS {
        let gateway = gateway(transport).await;
        let honest = node(gateway.addresses()).await;
        until_routable(&gateway, honest.peer.peer_id()).await;
        let evil = peer().await;
        for offence in 1..=3 {
            let mut stream = evil.control(&gateway).await.unwrap_or_else(|error| panic!("{offence}: {error}"));
            stream.write_all(&65_537_u32.to_be_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            until_closed(stream).await;
            evil.started.network.disconnect(gateway.peer_id()).await;
        }
        until_blocked(&evil, &gateway).await;
        assert!(gateway.client().send(honest.peer.peer_id(), request("/echo", "x")).await.is_ok());
    }
}

#[tokio::test]
async fn a_flood_ends_the_connection_and_the_node_is_out() {
    let gateway = gateway(TCP).await;
    let evil = peer().await;
    let mut stream = evil.control(&gateway).await.unwrap();
    evil.advertise(&mut stream).await;
    until_routable(&gateway, evil.identity.peer_id()).await;
    let flood = async { while write_frame(&mut stream, FromNode::Load(LoadBody::default())).await.is_ok() {} };
    timeout(PATIENCE, flood).await.expect("the flood went on");
    until(&gateway, |snapshot| snapshot.is_empty()).await;
    until_blocked(&evil, &gateway).await;
}

#[tokio::test]
async fn a_peer_that_connects_again_and_again_is_blocked_and_nobody_else() {
    for transport in TRANSPORTS {
        let gateway = gateway(transport).await;
        let honest = node(gateway.addresses()).await;
        until_routable(&gateway, honest.peer.peer_id()).await;
        let evil = peer().await;
        // It never breaks the protocol: it connects, is served, and leaves.
        let mut served = 0;
        let tries = async {
            while evil.control(&gateway).await.is_ok() {
                served += 1;
                evil.started.network.disconnect(gateway.peer_id()).await;
                while evil.started.streams.connections(gateway.peer_id()) > 0 {
                    tokio::task::yield_now().await;
                }
            }
        };
        timeout(PATIENCE, tries).await.expect("nobody minds");
        assert!(served >= 20, "{transport}: denied after {served} connections");
        for _ in 0..200 {
            let _ = evil.started.network.dial(Some(gateway.peer_id()), gateway.addresses()).await;
            evil.started.network.disconnect(gateway.peer_id()).await;
        }
        until_blocked(&evil, &gateway).await;
        assert!(gateway.client().send(honest.peer.peer_id(), request("/echo", "x")).await.is_ok());
        let another = peer().await;
        assert!(another.control(&gateway).await.is_ok(), "{transport}: another peer of the same address");
    }
}

#[tokio::test]
async fn a_peer_that_is_blocked_for_connecting_loses_what_it_has() {
    let gateway = gateway(TCP).await;
    let evil = peer().await;
    let mut stream = evil.control(&gateway).await.unwrap();
    evil.advertise(&mut stream).await;
    until_routable(&gateway, evil.identity.peer_id()).await;
    // It is not silence that ends this.
    let talking = tokio::spawn(async move {
        while write_frame(&mut stream, FromNode::Load(LoadBody::default())).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    });
    let again = peer_of(evil.identity.clone(), StreamLimits::default()).await;
    // How many it takes depends on how fast they come.
    let trying = async {
        while !talking.is_finished() {
            let _ = again.started.network.dial(Some(gateway.peer_id()), gateway.addresses()).await;
            again.started.network.disconnect(gateway.peer_id()).await;
        }
    };
    timeout(3 * PATIENCE, trying).await.expect("it should have been blocked");
    until(&gateway, |snapshot| snapshot.is_empty()).await;
    timeout(PATIENCE, talking).await.expect("its connection should have been closed").unwrap();
}

#[tokio::test]
async fn a_second_control_stream_on_a_connection_is_an_offence() {
    let gateway = gateway(TCP).await;
    let evil = peer().await;
    let mut first = evil.control(&gateway).await.unwrap();
    evil.advertise(&mut first).await;
    until_routable(&gateway, evil.identity.peer_id()).await;
    for _ in 0..3 {
        assert!(evil.started.streams.open(gateway.peer_id(), CONTROL).await.is_err());
    }
    until_closed(first).await;
    until(&gateway, |snapshot| snapshot.is_empty()).await;
    until_blocked(&evil, &gateway).await;
}

#[tokio::test]
async fn a_gateway_serves_no_requests() {
    let gateway = gateway(TCP).await;
    let evil = peer().await;
    let _control = evil.control(&gateway).await.unwrap();
    let opened = evil.started.streams.open(gateway.peer_id(), HTTP).await;
    assert!(matches!(opened, Err(OpenError::Unsupported)), "{opened:?}");
}

#[tokio::test]
async fn a_node_that_serves_nothing_leaves_requests_unsent() {
    for transport in TRANSPORTS {
        let streams = StreamLimits { open_timeout: Duration::from_millis(300), ..StreamLimits::default() };
        let config = GatewayPeerConfig { streams, ..GatewayPeerConfig::default() };
        let gateway = gateway_with(transport, config).await.unwrap();

        let mut closing = peer().await;
        closing.started.inbound.clear();
        let _control = closing.control(&gateway).await.unwrap();
        let error = gateway.client().send(closing.identity.peer_id(), request("/echo", "x")).await.unwrap_err();
        assert!(error.is_not_sent(), "{transport}: {error}");

        // It queues the stream and never serves it.
        let idle = peer().await;
        let _control = idle.control(&gateway).await.unwrap();
        let client = gateway.client().clone();
        let peer_id = idle.identity.peer_id();
        let waiting = tokio::spawn(async move { client.send(peer_id, request("/echo", "x")).await });
        let error = timeout(PATIENCE, waiting).await.unwrap().unwrap().unwrap_err();
        assert!(error.is_not_sent() && error.to_string().contains("in time"), "{transport}: {error}");

        let error = gateway.client().send(Identity::generate().peer_id(), request("/echo", "x")).await.unwrap_err();
        assert!(error.is_not_sent() && error.to_string().contains("not connected"), "{error}");
    }
}

#[tokio::test]
async fn requests_at_a_node_that_falls_silent_end_with_its_session() {
    for transport in TRANSPORTS {
        let gateway = gateway(transport).await;
        let mut silent = peer().await;
        let _control = silent.control(&gateway).await.unwrap();
        let (client, peer_id) = (gateway.client().clone(), silent.identity.peer_id());
        let waiting = tokio::spawn(async move { client.send(peer_id, request("/echo", "x")).await.map(drop) });
        let _held = silent.started.inbound[0].recv().await.unwrap().serve().await.unwrap();
        let error = timeout(PATIENCE, waiting).await.expect("it would wait for ever").unwrap().unwrap_err();
        assert!(!error.is_not_sent(), "{transport}: {error}");
    }
}

#[tokio::test]
async fn streams_beyond_a_peers_bound_are_refused_unsent() {
    let gateway = gateway(TCP).await;
    let limits = StreamLimits { max_inbound_per_peer: 4, ..StreamLimits::default() };
    let mut bounded = peer_with(limits).await;
    let _control = bounded.control(&gateway).await.unwrap();
    let mut inbound = bounded.started.inbound.remove(0);
    let peer_id = bounded.identity.peer_id();
    let mut held = Vec::new();
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let client = gateway.client().clone();
        waiting.push(tokio::spawn(async move { client.send(peer_id, request("/echo", "x")).await.map(drop) }));
        held.push(timeout(PATIENCE, inbound.recv()).await.unwrap().unwrap().serve().await.unwrap());
    }
    let error = gateway.client().send(peer_id, request("/echo", "x")).await.unwrap_err();
    assert!(error.is_not_sent(), "{error}");
    assert!(inbound.try_recv().is_err(), "the fifth stream was queued");
    // The others were sent, and nobody can know what became of them.
    drop(held);
    for request in waiting {
        let error = timeout(PATIENCE, request).await.unwrap().unwrap().unwrap_err();
        assert!(!error.is_not_sent(), "{error}");
    }
}
