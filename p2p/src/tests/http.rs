//! Requests over peer streams.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use libp2p::PeerId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::support::{PATIENCE, TCP, TRANSPORTS, TestNode, Work, gateway, node, node_with, request, until_routable};
use crate::network::{self, NetworkConfig};
use crate::streams::{CONTROL, HTTP, StreamLimits};
use crate::{Client, GatewayPeer, Identity, NodePeerConfig};

async fn pair(transport: &str) -> (GatewayPeer, TestNode, PeerId) {
    let gateway = gateway(transport).await;
    let node = node(gateway.addresses()).await;
    let peer = node.peer.peer_id();
    until_routable(&gateway, peer).await;
    (gateway, node, peer)
}

async fn echo(client: &Client, peer: PeerId, body: Bytes) -> Bytes {
    let response = client.send(peer, request("/echo", body)).await.unwrap();
    response.into_body().collect().await.unwrap().to_bytes()
}

async fn next(node: &mut TestNode) -> Work {
    timeout(PATIENCE, node.work.recv()).await.expect("nothing happened at the node").unwrap()
}

#[tokio::test]
async fn requests_are_answered_and_streams_are_used_again() {
    for transport in TRANSPORTS {
        let (gateway, _node, peer) = pair(transport).await;
        for size in [0, 1, 400, 70_000, 1 << 20] {
            let body = Bytes::from(vec![b'x'; size]);
            assert_eq!(echo(gateway.client(), peer, body.clone()).await, body, "{transport}");
        }
        let stats = gateway.client().stats();
        assert_eq!((stats.opened, stats.reused), (1, 4), "{transport}");
    }
}

#[tokio::test]
async fn many_at_once_lose_nothing() {
    for transport in TRANSPORTS {
        let (gateway, _node, peer) = pair(transport).await;
        let callers = (0..64).map(|caller| {
            let client = gateway.client().clone();
            tokio::spawn(async move {
                for turn in 0..40 {
                    let body = Bytes::from(format!("caller {caller} turn {turn}"));
                    assert_eq!(echo(&client, peer, body.clone()).await, body);
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            timeout(4 * PATIENCE, caller).await.unwrap().unwrap();
        }
        let stats = gateway.client().stats();
        assert!(stats.opened <= 64, "{transport}: {stats:?}");
        assert_eq!(stats.opened + stats.reused, 64 * 40, "{transport}");
    }
}

#[tokio::test]
async fn a_streamed_answer_arrives_in_pieces() {
    for transport in TRANSPORTS {
        let (gateway, mut node, peer) = pair(transport).await;
        let mut body = gateway.client().send(peer, request("/stream", "")).await.unwrap().into_body();
        assert_eq!(next(&mut node).await, Work::Began);
        let mut seen = Vec::new();
        while seen.len() < 11 {
            let frame = timeout(PATIENCE, body.frame()).await.expect("pieces must not wait for the end");
            seen.extend_from_slice(frame.unwrap().unwrap().data_ref().unwrap());
        }
        assert_eq!(seen, b"onetwothree");
        // Leaving in mid-answer stops the node.
        drop(body);
        assert_eq!(next(&mut node).await, Work::Dropped, "{transport}");
    }
}

#[tokio::test]
async fn leaving_before_the_answer_stops_the_node() {
    for transport in TRANSPORTS {
        let (gateway, mut node, peer) = pair(transport).await;
        let client = gateway.client().clone();
        let asking = tokio::spawn(async move { client.send(peer, request("/hang", "")).await.map(drop) });
        assert_eq!(next(&mut node).await, Work::Began);
        asking.abort();
        assert_eq!(next(&mut node).await, Work::Dropped, "{transport}");
        assert_eq!(echo(gateway.client(), peer, Bytes::from_static(b"alive")).await, "alive");
    }
}

#[tokio::test]
async fn a_recycled_body_gives_its_stream_back() {
    let (gateway, mut node, peer) = pair(TCP).await;
    let client = gateway.client();
    let mut body = client.send(peer, request("/chunks", "")).await.unwrap().into_body();
    let mut seen = Vec::new();
    while seen.len() < 11 {
        seen.extend_from_slice(body.frame().await.unwrap().unwrap().data_ref().unwrap());
    }
    body.recycle();
    let given_back = async {
        while client.pooled(peer).0 == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, given_back).await.expect("the stream did not come back");
    echo(client, peer, Bytes::new()).await;
    assert_eq!(client.stats().opened, 1);
    // A body that goes on is not waited for.
    let mut body = client.send(peer, request("/stream", "")).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    body.recycle();
    assert_eq!((next(&mut node).await, next(&mut node).await), (Work::Began, Work::Dropped));
}

#[tokio::test]
async fn requests_that_run_finish_when_a_node_stops_and_later_ones_are_unsent() {
    let (gateway, mut node, peer) = pair(TCP).await;
    let mut body = gateway.client().send(peer, request("/stream", "")).await.unwrap().into_body();
    next(&mut node).await;
    let TestNode { peer: node_peer, mut work, .. } = node;
    node_peer.drain().await;
    let stopping = tokio::spawn(node_peer.shutdown(PATIENCE));
    // The node still serves what runs, and nothing else.
    body.frame().await.unwrap().unwrap();
    let refused = async {
        loop {
            match gateway.client().send(peer, request("/echo", "late")).await {
                Ok(answered) => drop(answered.into_body().collect().await),
                Err(error) => break error,
            }
        }
    };
    timeout(PATIENCE, refused).await.unwrap();
    assert!(!stopping.is_finished());
    assert!(work.try_recv().is_err(), "what ran was cut off");
    drop(body);
    timeout(PATIENCE, stopping).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_limit_ends_what_does_not_finish() {
    let (gateway, mut node, peer) = pair(TCP).await;
    let body = gateway.client().send(peer, request("/stream", "")).await.unwrap().into_body();
    next(&mut node).await;
    let TestNode { peer: node_peer, mut work, .. } = node;
    node_peer.shutdown(Duration::from_millis(50)).await;
    assert_eq!(timeout(PATIENCE, work.recv()).await.unwrap(), Some(Work::Dropped));
    assert!(body.collect().await.is_err(), "a cut answer must not look like a whole one");
}

#[tokio::test]
async fn an_idle_stream_that_closed_is_replaced() {
    let gateway = gateway(TCP).await;
    let identity = Identity::generate();
    let config = NetworkConfig::dialling(StreamLimits::default(), vec![HTTP]);
    let mut started = network::start(&identity, config).await.unwrap();
    started.network.dial(Some(gateway.peer_id()), gateway.addresses()).await.unwrap();
    let _control = started.streams.open(gateway.peer_id(), CONTROL).await.unwrap();
    // Answers one request on each stream and closes it without a word.
    let mut inbound = started.inbound.remove(0);
    tokio::spawn(async move {
        while let Some(stream) = inbound.recv().await {
            let mut stream = stream.serve().await.unwrap();
            let mut head = [0; 2048];
            assert!(stream.read(&mut head).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    let (client, peer) = (gateway.client(), identity.peer_id());
    for turn in 1..=5 {
        assert_eq!(echo(client, peer, Bytes::new()).await, "ok");
        assert_eq!(client.stats().opened, turn);
        let closed = async {
            while client.pooled(peer).0 > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, closed).await.unwrap();
    }
    assert_eq!(client.pooled(peer), (0, 0), "peers without streams are forgotten");
}

#[tokio::test]
async fn the_clients_own_bound_refuses_unsent() {
    let config = crate::GatewayPeerConfig {
        client: crate::ClientConfig { max_streams_per_peer: 2, ..crate::ClientConfig::default() },
        ..crate::GatewayPeerConfig::default()
    };
    let gateway = super::support::gateway_with(TCP, config).await.unwrap();
    let node = node(gateway.addresses()).await;
    let peer = node.peer.peer_id();
    until_routable(&gateway, peer).await;
    let client = gateway.client();
    let first = client.send(peer, request("/stream", "")).await.unwrap();
    let _second = client.send(peer, request("/stream", "")).await.unwrap();
    let error = client.send(peer, request("/echo", "")).await.unwrap_err();
    assert!(error.is_not_sent(), "{error}");
    drop(first);
    let freed = async { while client.send(peer, request("/echo", "")).await.is_err() {} };
    timeout(PATIENCE, freed).await.unwrap();
}

#[tokio::test]
async fn a_head_that_is_too_large_is_answered_with_431() {
    let gateway = gateway(TCP).await;
    let node = node_with(NodePeerConfig { gateways: gateway.addresses(), ..NodePeerConfig::default() }).await;
    let peer = node.peer.peer_id();
    until_routable(&gateway, peer).await;
    let mut large = request("/echo", "");
    large.headers_mut().insert("x-large", "x".repeat(20_000).parse().unwrap());
    let answer = gateway.client().send(peer, large).await.unwrap();
    assert_eq!(answer.status(), http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(echo(gateway.client(), peer, Bytes::from_static(b"x")).await, "x");
}
