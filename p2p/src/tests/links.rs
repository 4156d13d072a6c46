//! Gateways that share nodes, over real connections.

use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use tokio::time::timeout;

use super::support::{
    PATIENCE, TCP, TRANSPORTS, TestNode, Work, node_with, request, until, until_routable, until_status,
};
use crate::offer::tests::offer;
use crate::{
    Admission, GatewayPeer, GatewayPeerConfig, Identity, Load, NodePeerConfig, NotAdmitted, PeerId, StartError,
};

fn by_id_alone(peer: PeerId) -> Multiaddr {
    Multiaddr::empty().with(Protocol::P2p(peer))
}

async fn linked(identity: &Identity, listen: &str, peer_gateways: Vec<Multiaddr>) -> GatewayPeer {
    let listen = vec![listen.parse().unwrap()];
    let config = GatewayPeerConfig { listen, peer_gateways, ..GatewayPeerConfig::default() };
    GatewayPeer::start(identity.clone(), config).await.unwrap()
}

/// Two gateways that are linked: the second dials the first.
async fn pair(transport: &str) -> (GatewayPeer, GatewayPeer) {
    let (first, second) = (Identity::generate(), Identity::generate());
    let near = linked(&first, transport, vec![by_id_alone(second.peer_id())]).await;
    let far = linked(&second, transport, near.addresses()).await;
    (near, far)
}

/// A node that keeps to the first gateway that it reaches.
async fn node_of(gateway: &GatewayPeer) -> TestNode {
    node_with(NodePeerConfig { gateways: gateway.addresses(), max_gateways: 1, ..NodePeerConfig::default() }).await
}

async fn echo(gateway: &GatewayPeer, peer: PeerId, text: &'static str) {
    let answer = gateway.client().send(peer, request("/echo", text)).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), text);
}

fn via(gateway: &GatewayPeer, peer: PeerId) -> Option<PeerId> {
    gateway.directory().snapshot().node(peer).and_then(|node| node.via())
}

#[tokio::test]
async fn a_node_of_one_gateway_serves_the_callers_of_the_other() {
    for transport in TRANSPORTS {
        let (near, far) = pair(transport).await;
        for (home, other) in [(&near, &far), (&far, &near)] {
            let node = node_of(home).await;
            let peer = node.peer.peer_id();
            until_routable(other, peer).await;
            assert_eq!((via(home, peer), via(other, peer)), (None, Some(home.peer_id())), "{transport}");
            for _ in 0..3 {
                echo(other, peer, "relayed").await;
            }
            assert_eq!(other.client().pooled(peer).0, 1, "the relayed stream is kept for the next request");
            node.offer.send_replace(offer("m", 77));
            until(other, |snapshot| snapshot.candidates("m").iter().any(|node| node.offer().ask.input == 77)).await;
            node.load.send_replace(Load { running: 3, ..Load::default() });
            let snapshot = other.directory().snapshot();
            let arrived = async {
                while snapshot.node(peer).unwrap().stats().load().running != 3 {
                    tokio::task::yield_now().await;
                }
            };
            timeout(PATIENCE, arrived).await.unwrap();
            node.peer.drain().await;
            until(other, |snapshot| snapshot.node(peer).is_some_and(|node| node.stats().is_draining())).await;
            drop(node);
            until(other, |snapshot| snapshot.node(peer).is_none()).await;
        }
    }
}

#[tokio::test]
async fn a_caller_who_leaves_the_other_gateway_stops_the_node() {
    for transport in TRANSPORTS {
        let (near, far) = pair(transport).await;
        let mut node = node_of(&near).await;
        let peer = node.peer.peer_id();
        until_routable(&far, peer).await;
        for path in ["/hang", "/stream"] {
            let client = far.client().clone();
            let asking = tokio::spawn(async move {
                let answer = client.send(peer, request(path, "")).await.unwrap();
                let mut body = answer.into_body();
                while body.frame().await.is_some() {}
            });
            assert_eq!(timeout(PATIENCE, node.work.recv()).await.unwrap(), Some(Work::Began));
            asking.abort();
            let left = Instant::now();
            assert_eq!(timeout(PATIENCE, node.work.recv()).await.unwrap(), Some(Work::Dropped), "{transport} {path}");
            assert!(left.elapsed() < Duration::from_secs(5), "{transport} {path}");
        }
    }
}

#[tokio::test]
async fn a_node_that_dies_breaks_the_relayed_answer_and_a_request_after_it_is_unsent() {
    let (near, far) = pair(TCP).await;
    let mut node = node_of(&near).await;
    let peer = node.peer.peer_id();
    until_routable(&far, peer).await;
    let answer = far.client().send(peer, request("/stream", "")).await.unwrap();
    assert_eq!(node.work.recv().await, Some(Work::Began));
    drop(node);
    let mut body = answer.into_body();
    let ended = async { while let Some(Ok(_)) = body.frame().await {} };
    timeout(PATIENCE, ended).await.expect("the answer should have broken");
    // Asked for by its old way, as a request would that was routed a moment ago.
    let error = far.client().send(peer, request("/echo", "late")).await.unwrap_err();
    assert!(error.is_not_sent(), "{error}");
}

#[tokio::test]
async fn a_nodes_own_connection_counts_before_the_link() {
    let (near, far) = pair(TCP).await;
    let node = node_of(&near).await;
    let peer = node.peer.peer_id();
    until_routable(&far, peer).await;
    drop(node);
    until(&far, |snapshot| snapshot.node(peer).is_none()).await;
    // A node with room for more is told where the other gateway is, and goes there.
    let node =
        node_with(NodePeerConfig { gateways: near.addresses(), max_gateways: 3, ..NodePeerConfig::default() }).await;
    let peer = node.peer.peer_id();
    until_status(&node.peer, |status| status.gateways.len() == 2).await;
    until(&far, |snapshot| snapshot.node(peer).is_some_and(|node| node.via().is_none())).await;
    echo(&far, peer, "direct").await;
}

#[tokio::test]
async fn a_link_that_ends_takes_out_what_was_known_through_it_and_comes_back() {
    let (first, second) = (Identity::generate(), Identity::generate());
    let near = linked(&first, TCP, vec![by_id_alone(second.peer_id())]).await;
    let far = linked(&second, TCP, near.addresses()).await;
    let node = node_of(&near).await;
    let peer = node.peer.peer_id();
    until_routable(&far, peer).await;
    far.shutdown().await;
    drop(far);
    let far = linked(&second, TCP, near.addresses()).await;
    until_routable(&far, peer).await;
    echo(&far, peer, "again").await;
    let left = Instant::now();
    near.shutdown().await;
    until(&far, |snapshot| snapshot.is_empty()).await;
    assert!(left.elapsed() < Duration::from_secs(2), "it was silence that told");
}

#[tokio::test]
async fn three_gateways_tell_only_of_their_own_nodes() {
    let ids = [Identity::generate(), Identity::generate(), Identity::generate()];
    // A chain: the outer two are not linked to each other.
    let middle = linked(&ids[1], TCP, vec![by_id_alone(ids[0].peer_id()), by_id_alone(ids[2].peer_id())]).await;
    let first = linked(&ids[0], TCP, middle.addresses()).await;
    let last = linked(&ids[2], TCP, middle.addresses()).await;
    let (one, two) = (node_of(&first).await, node_of(&middle).await);
    until_routable(&middle, one.peer.peer_id()).await;
    // What the middle tells of its own has arrived, so what it would tell of the first's would have too.
    until_routable(&last, two.peer.peer_id()).await;
    assert!(last.directory().snapshot().node(one.peer.peer_id()).is_none(), "what was only heard was told on");
    let error = last.client().send(one.peer.peer_id(), request("/echo", "x")).await.unwrap_err();
    assert!(error.is_not_sent());
}

#[tokio::test]
async fn a_stranger_gets_neither_nodes_nor_relays() {
    let (near, far) = pair(TCP).await;
    let node = node_of(&near).await;
    until_routable(&far, node.peer.peer_id()).await;
    let stranger = linked(&Identity::generate(), TCP, near.addresses()).await;
    let dialled = stranger.network.dial(Some(near.peer_id()), near.addresses()).await;
    assert!(dialled.is_ok(), "{dialled:?}");
    let opening = node.peer.peer_id().to_bytes();
    for protocol in [crate::streams::GATEWAYS, crate::streams::RELAY] {
        let opened = stranger.client().streams().open_saying(near.peer_id(), protocol, &opening).await;
        assert!(matches!(opened, Err(crate::OpenError::NotServed)), "{opened:?}");
    }
    assert!(stranger.directory().snapshot().is_empty());
}

#[derive(Debug)]
struct Nobody;

impl Admission for Nobody {
    fn admit(&self, _: PeerId, _: Option<&str>) -> Result<(), NotAdmitted> {
        Err(NotAdmitted { field: "peer_id", reason: "closed".to_owned() })
    }
}

#[tokio::test]
async fn who_is_connected_and_no_node_gets_no_relayed_requests() {
    let (first, second) = (Identity::generate(), Identity::generate());
    let config = GatewayPeerConfig {
        listen: vec![TCP.parse().unwrap()],
        peer_gateways: vec![by_id_alone(second.peer_id())],
        ..GatewayPeerConfig::default()
    };
    let near = GatewayPeer::start_admitting(first, config, crate::admission::always(Nobody)).await.unwrap();
    let far = linked(&second, TCP, near.addresses()).await;
    let node = node_of(&near).await;
    until_status(&node.peer, |status| status.last_refusal.is_some()).await;
    let opening = node.peer.peer_id().to_bytes();
    near.network.dial(Some(far.peer_id()), far.addresses()).await.unwrap();
    let opened = far.client().streams().open_saying(near.peer_id(), crate::streams::RELAY, &opening).await;
    assert!(matches!(opened, Err(crate::OpenError::NotServed)), "{opened:?}");
}

#[tokio::test]
async fn a_gateway_that_moved_is_found_again_by_its_nodes() {
    let (first, second) = (Identity::generate(), Identity::generate());
    let stays = linked(&first, TCP, vec![by_id_alone(second.peer_id())]).await;
    let moves = linked(&second, TCP, stays.addresses()).await;
    let gateways = [stays.addresses(), moves.addresses()].concat();
    let node = node_with(NodePeerConfig { gateways, ..NodePeerConfig::default() }).await;
    let peer = node.peer.peer_id();
    let own = |snapshot: &crate::Snapshot| snapshot.node(peer).is_some_and(|node| node.via().is_none());
    until(&moves, own).await;
    moves.shutdown().await;
    let old = moves.addresses();
    drop(moves);
    // Another port of the system's choice; the node's configuration names the old one.
    let moved = linked(&second, TCP, stays.addresses()).await;
    assert_ne!(moved.addresses(), old);
    until(&moved, own).await;
}

#[tokio::test]
async fn peer_gateways_that_cannot_be_are_named() {
    let start = async |peer: &str, identity: &Identity| {
        let peer_gateways = vec![peer.parse().unwrap()];
        let listen = vec![TCP.parse().unwrap()];
        let config = GatewayPeerConfig { listen, peer_gateways, ..GatewayPeerConfig::default() };
        GatewayPeer::start(identity.clone(), config).await.unwrap_err()
    };
    let identity = Identity::generate();
    let error = start("/ip4/127.0.0.1/tcp/1", &identity).await;
    assert!(matches!(error, StartError::NamelessPeerGateway(_)) && error.to_string().contains("/p2p/"), "{error}");
    let error = start(&format!("/ip4/127.0.0.1/tcp/1/p2p/{}", identity.peer_id()), &identity).await;
    assert!(matches!(error, StartError::OwnPeerGateway(_)), "{error}");
}
