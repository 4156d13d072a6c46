//! Gateways that are found through the DHT, over real connections.

use std::time::Duration;

use super::support::{
    PATIENCE, TCP, TRANSPORTS, gateway_with, node_with, request, until, until_routable, until_status,
};
use crate::{
    BootstrapPeer, BootstrapPeerConfig, GatewayPeer, GatewayPeerConfig, Identity, Multiaddr, NodePeerConfig, StartError,
};

async fn bootstrap(listen: &str) -> BootstrapPeer {
    let idle_timeout = Duration::from_secs(1);
    let listen = vec![listen.parse().unwrap()];
    let config = BootstrapPeerConfig { listen, idle_timeout, ..BootstrapPeerConfig::default() };
    BootstrapPeer::start(Identity::generate(), config).await.unwrap()
}

async fn gateway_at(listen: &str, bootstraps: Vec<Multiaddr>) -> GatewayPeer {
    gateway_with(listen, GatewayPeerConfig { bootstraps, ..GatewayPeerConfig::default() }).await.unwrap()
}

fn seeking(bootstraps: Vec<Multiaddr>) -> NodePeerConfig {
    NodePeerConfig { bootstraps, ..NodePeerConfig::default() }
}

#[tokio::test]
async fn a_node_that_knows_a_bootstrap_alone_finds_all_gateways() {
    for transport in TRANSPORTS {
        let bootstrap = bootstrap(transport).await;
        let node = node_with(seeking(bootstrap.addresses())).await;
        // They start after the node has looked for the first time.
        let first = gateway_at(transport, bootstrap.addresses()).await;
        let second = gateway_at(transport, bootstrap.addresses()).await;
        for gateway in [&first, &second] {
            until_routable(gateway, node.peer.peer_id()).await;
            assert!(gateway.client().send(node.peer.peer_id(), request("/echo", "found")).await.is_ok());
        }
        assert_eq!(first.directory().snapshot().len(), 1, "whoever only asks is no node");
    }
}

#[tokio::test]
async fn a_gateway_is_a_bootstrap_too_and_knows_its_peer_gateways() {
    let ids = [Identity::generate(), Identity::generate()];
    let id_alone = Multiaddr::empty().with_p2p(ids[1].peer_id()).unwrap();
    let start = async |identity: &Identity, peer_gateways| {
        let config = GatewayPeerConfig { listen: vec![TCP.parse().unwrap()], peer_gateways, ..Default::default() };
        GatewayPeer::start(identity.clone(), config).await.unwrap()
    };
    let first = start(&ids[0], vec![id_alone]).await;
    let second = start(&ids[1], first.addresses()).await;
    let node = node_with(seeking(first.addresses())).await;
    let peer = node.peer.peer_id();
    for gateway in [&first, &second] {
        until(gateway, |snapshot| snapshot.node(peer).is_some_and(|node| node.via().is_none())).await;
    }
}

#[tokio::test]
async fn who_only_asks_is_not_kept() {
    let bootstrap = bootstrap(TCP).await;
    let gateway = gateway_at(TCP, bootstrap.addresses()).await;
    let node = node_with(NodePeerConfig { max_gateways: 1, ..seeking(bootstrap.addresses()) }).await;
    until_routable(&gateway, node.peer.peer_id()).await;
    let alone = async {
        while bootstrap.network.connected().await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, alone).await.expect("idle connections should have been closed");
    bootstrap.shutdown().await;
}

#[tokio::test]
async fn a_bootstrap_that_is_away_does_no_harm_and_one_that_is_nobody_is_named() {
    let away: Multiaddr = format!("/ip4/127.0.0.1/tcp/1/p2p/{}", Identity::generate().peer_id()).parse().unwrap();
    let gateway = gateway_at(TCP, vec![away.clone()]).await;
    let node = node_with(NodePeerConfig { gateways: gateway.addresses(), ..seeking(vec![away]) }).await;
    until_status(&node.peer, |status| status.gateways.iter().any(|gateway| gateway.accepted)).await;
    let config = GatewayPeerConfig { bootstraps: vec![TCP.parse().unwrap()], ..GatewayPeerConfig::default() };
    let error = gateway_with(TCP, config).await.unwrap_err();
    assert!(matches!(error, StartError::NamelessBootstrap(_)) && error.to_string().contains("/p2p/"), "{error}");
}
