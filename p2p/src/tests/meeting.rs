//! How gateways and nodes find, lose and find each other again.

use std::time::{Duration, Instant};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use super::support::{
    QUIC, TCP, TRANSPORTS, gateway, gateway_with, node, node_with, request, until, until_routable, until_status,
};
use crate::network::{self, NetworkConfig};
use crate::offer::tests::offer;
use crate::streams::StreamLimits;
use crate::{GatewayPeer, GatewayPeerConfig, Identity, Load, NodePeerConfig, StartError};

fn without_peer(mut address: Multiaddr) -> Multiaddr {
    address.pop();
    address
}

#[tokio::test]
async fn a_node_becomes_routable_changes_its_price_and_leaves() {
    for transport in TRANSPORTS {
        let gateway = gateway(transport).await;
        let node = node(gateway.addresses()).await;
        until_routable(&gateway, node.peer.peer_id()).await;
        until_status(&node.peer, |status| status.gateways.iter().any(|gateway| gateway.accepted)).await;
        node.offer.send_replace(offer("m", 77));
        until(&gateway, |snapshot| snapshot.candidates("m").iter().any(|node| node.offer().ask.input == 77)).await;
        node.peer.shutdown(Duration::from_secs(5)).await;
        let left = Instant::now();
        until(&gateway, |snapshot| snapshot.is_empty()).await;
        assert!(left.elapsed() < Duration::from_secs(2), "{transport}: it was silence that told");
        gateway.shutdown().await;
    }
}

/// The bounds are many times what is measured, and still what a market needs.
#[tokio::test]
async fn what_happens_is_known_within_a_second() {
    for transport in TRANSPORTS {
        let gateway = gateway(transport).await;
        let started = Instant::now();
        let node = node(gateway.addresses()).await;
        until_routable(&gateway, node.peer.peer_id()).await;
        assert!(started.elapsed() < Duration::from_secs(1), "{transport}: routable after {:?}", started.elapsed());
        let changed = Instant::now();
        node.offer.send_replace(offer("m", 77));
        until(&gateway, |snapshot| snapshot.candidates("m").iter().any(|node| node.offer().ask.input == 77)).await;
        assert!(changed.elapsed() < Duration::from_secs(1), "{transport}: a price after {:?}", changed.elapsed());
        node.load.send_replace(Load { running: 3, ..Load::default() });
        let changed = Instant::now();
        while gateway.directory().snapshot().candidates("m")[0].stats().load().running != 3 {
            assert!(changed.elapsed() < Duration::from_secs(1), "{transport}: no load for a second");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_node_that_vanishes_is_out_at_once() {
    for transport in TRANSPORTS {
        let gateway = gateway(transport).await;
        let node = node(gateway.addresses()).await;
        until_routable(&gateway, node.peer.peer_id()).await;
        drop(node);
        let left = Instant::now();
        until(&gateway, |snapshot| snapshot.is_empty()).await;
        assert!(left.elapsed() < Duration::from_secs(2), "{transport}: it was silence that told");
    }
}

#[tokio::test]
async fn load_reaches_the_directory_without_a_new_snapshot() {
    let gateway = gateway(TCP).await;
    let node = node(gateway.addresses()).await;
    until_routable(&gateway, node.peer.peer_id()).await;
    let snapshot = gateway.directory().snapshot();
    node.load.send_replace(Load { running: 3, waiting: 1, free_slots: 0, ttft_ms: 9, tokens_per_second_milli: 5 });
    let candidates = snapshot.candidates("m");
    let stats = candidates[0].stats();
    let arrived = async {
        while stats.occupied() != 4 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::support::PATIENCE, arrived).await.unwrap();
    assert_eq!(stats.ttft_ms(), 9);
    assert_eq!(gateway.directory().snapshot().version(), snapshot.version());
}

#[tokio::test]
async fn a_drained_node_gets_no_new_requests_and_serves_those_it_gets() {
    let gateway = gateway(TCP).await;
    let node = node(gateway.addresses()).await;
    let peer = node.peer.peer_id();
    until_routable(&gateway, peer).await;
    node.peer.drain().await;
    assert!(gateway.directory().snapshot().candidates("m").is_empty(), "drain returned before the gateway knew");
    assert!(gateway.client().send(peer, request("/echo", "late")).await.is_ok());
}

#[tokio::test]
async fn a_node_comes_back_to_a_gateway_that_restarts_on_its_port() {
    for transport in TRANSPORTS {
        let identity = Identity::generate();
        let start = async |listen: Vec<Multiaddr>| {
            GatewayPeer::start(identity.clone(), GatewayPeerConfig { listen, ..GatewayPeerConfig::default() }).await
        };
        let first = start(vec![transport.parse().unwrap()]).await.unwrap();
        let addresses = first.addresses();
        let node = node(addresses.clone()).await;
        until_routable(&first, node.peer.peer_id()).await;
        first.shutdown().await;
        until_status(&node.peer, |status| status.gateways.is_empty()).await;
        let listen: Vec<Multiaddr> = addresses.into_iter().map(without_peer).collect();
        let restarted = async {
            loop {
                match start(listen.clone()).await {
                    Ok(gateway) => break gateway,
                    // Within one process QUIC holds its port until its connections have drained.
                    Err(error) => assert!(error.to_string().contains("in use"), "{error}"),
                }
                tokio::task::yield_now().await;
            }
        };
        let second = tokio::time::timeout(super::support::PATIENCE, restarted).await.unwrap();
        until_routable(&second, node.peer.peer_id()).await;
        assert!(second.client().send(node.peer.peer_id(), request("/echo", "again")).await.is_ok());
    }
}

#[tokio::test]
async fn two_addresses_of_one_gateway_make_one_node() {
    let listen = [TCP, QUIC].iter().map(|address| address.parse().unwrap()).collect();
    let config = GatewayPeerConfig { listen, ..GatewayPeerConfig::default() };
    let gateway = GatewayPeer::start(Identity::generate(), config).await.unwrap();
    assert_eq!(gateway.addresses().len(), 2);
    let node = node(gateway.addresses().into_iter().map(without_peer).collect()).await;
    let peer = node.peer.peer_id();
    until_routable(&gateway, peer).await;
    until_status(&node.peer, |status| status.gateways.iter().any(|gateway| gateway.accepted)).await;
    for _ in 0..20 {
        assert!(gateway.client().send(peer, request("/echo", "x")).await.is_ok());
    }
    assert_eq!(gateway.directory().snapshot().len(), 1);
    assert_eq!(node.peer.status().borrow().gateways.len(), 1);
}

#[tokio::test]
async fn a_second_dial_keeps_the_first_connection() {
    let listen = [TCP, QUIC].iter().map(|address| address.parse().unwrap()).collect();
    let config = GatewayPeerConfig { listen, ..GatewayPeerConfig::default() };
    let gateway = GatewayPeer::start(Identity::generate(), config).await.unwrap();
    let config = NetworkConfig::dialling(StreamLimits::default(), Vec::new());
    let dialler = network::start(&Identity::generate(), config).await.unwrap();
    for address in gateway.addresses().into_iter().map(without_peer) {
        let peer = dialler.network.dial(None, vec![address]).await.unwrap();
        assert_eq!(peer, gateway.peer_id());
        assert_eq!(dialler.streams.connections(peer), 1);
    }
}

#[tokio::test]
async fn a_node_keeps_to_three_gateways_and_takes_the_fourth_when_one_goes() {
    let mut gateways = Vec::new();
    for _ in 0..4 {
        gateways.push(gateway(TCP).await);
    }
    let node = node(gateways.iter().flat_map(GatewayPeer::addresses).collect()).await;
    until_status(&node.peer, |status| status.gateways.len() == 3).await;
    let connected = node.peer.status().borrow().gateways.clone();
    let gone = gateways.iter().find(|gateway| gateway.peer_id() == connected[0].peer_id).unwrap();
    let fourth =
        gateways.iter().find(|gateway| connected.iter().all(|status| status.peer_id != gateway.peer_id())).unwrap();
    gone.shutdown().await;
    until_routable(fourth, node.peer.peer_id()).await;
}

#[tokio::test]
async fn a_gateway_tells_of_another() {
    let other = gateway(QUIC).await;
    let config = GatewayPeerConfig { other_gateways: other.addresses(), ..GatewayPeerConfig::default() };
    let gateway = gateway_with(TCP, config).await.unwrap();
    let node = node(gateway.addresses()).await;
    until_routable(&other, node.peer.peer_id()).await;
}

#[tokio::test]
async fn a_refusal_reaches_the_operator() {
    let config = GatewayPeerConfig { max_price: 3, ..GatewayPeerConfig::default() };
    let gateway = gateway_with(TCP, config).await.unwrap();
    let node = node(gateway.addresses()).await;
    until_status(&node.peer, |status| status.last_refusal.is_some()).await;
    let refusal = node.peer.status().borrow().last_refusal.clone().unwrap();
    assert_eq!(refusal.gateway, gateway.peer_id());
    assert_eq!(refusal.field.as_deref(), Some("models[0].ask.input"));
    node.offer.send_replace(offer("m", 1));
    until_routable(&gateway, node.peer.peer_id()).await;
}

#[tokio::test]
async fn a_port_in_use_and_a_bad_address_are_named() {
    for transport in TRANSPORTS {
        let gateway = gateway(transport).await;
        let taken = without_peer(gateway.addresses()[0].clone()).to_string();
        let error = gateway_with(&taken, GatewayPeerConfig::default()).await.unwrap_err().to_string();
        assert!(error.contains(&taken) && error.contains("in use"), "{error}");
    }
    let error = gateway_with("/ip4/127.0.0.1/sctp/1", GatewayPeerConfig::default()).await.unwrap_err();
    assert!(error.to_string().contains("/ip4/127.0.0.1/sctp/1"), "{error}");
    let error = GatewayPeer::start(Identity::generate(), GatewayPeerConfig::default()).await.unwrap_err();
    assert!(matches!(error, StartError::NoAddress));
    let other_gateways = vec![TCP.parse().unwrap(); 17];
    let too_many = GatewayPeerConfig { other_gateways, ..GatewayPeerConfig::default() };
    assert!(matches!(gateway_with(TCP, too_many).await, Err(StartError::TooManyGateways(17))));
}

#[tokio::test]
async fn an_unreachable_gateway_is_told_of_and_does_no_harm() {
    let gateway = gateway(TCP).await;
    // Port 1 of the loopback interface refuses.
    let mut gateways: Vec<Multiaddr> = vec!["/ip4/127.0.0.1/tcp/1".parse().unwrap()];
    let alone = node(gateways.clone()).await;
    until_status(&alone.peer, |status| status.last_failure.as_ref().is_some_and(|failure| failure.contains("refused")))
        .await;
    gateways.extend(gateway.addresses());
    let node = node(gateways).await;
    until_routable(&gateway, node.peer.peer_id()).await;
}

#[tokio::test]
async fn a_gateway_that_is_somebody_else_is_not_talked_to() {
    let gateway = gateway(TCP).await;
    let stranger = Identity::generate().peer_id();
    let address = without_peer(gateway.addresses()[0].clone()).with(Protocol::P2p(stranger));
    let node = node(vec![address]).await;
    until_status(&node.peer, |status| {
        status.last_failure.as_ref().is_some_and(|failure| failure.contains("another peer"))
    })
    .await;
    assert!(gateway.directory().snapshot().is_empty());
}

#[tokio::test]
async fn multicast_may_be_impossible() {
    let config = GatewayPeerConfig { mdns: true, ..GatewayPeerConfig::default() };
    let gateway = gateway_with(TCP, config).await.unwrap();
    let config = NodePeerConfig { gateways: gateway.addresses(), mdns: true, ..NodePeerConfig::default() };
    let node = node_with(config).await;
    until_routable(&gateway, node.peer.peer_id()).await;
}
