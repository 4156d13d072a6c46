//! Gateways, nodes and services for tests.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::directory::Snapshot;
use crate::offer::tests::offer;
use crate::{GatewayPeer, GatewayPeerConfig, Identity, Load, NodePeer, NodePeerConfig, NodeStatus, Offer, StartError};

/// How long anything may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) const TCP: &str = "/ip4/127.0.0.1/tcp/0";
pub(super) const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";
pub(super) const TRANSPORTS: [&str; 2] = [TCP, QUIC];

pub(super) async fn gateway(listen: &str) -> GatewayPeer {
    gateway_with(listen, GatewayPeerConfig::default()).await.unwrap()
}

pub(super) async fn gateway_with(listen: &str, config: GatewayPeerConfig) -> Result<GatewayPeer, StartError> {
    let config = GatewayPeerConfig { listen: vec![listen.parse().unwrap()], ..config };
    GatewayPeer::start(Identity::generate(), config).await
}

/// A node and the test's ends of it.
pub(super) struct TestNode {
    pub(super) peer: NodePeer,
    pub(super) offer: watch::Sender<Offer>,
    pub(super) load: watch::Sender<Load>,
    pub(super) work: mpsc::UnboundedReceiver<Work>,
}

/// What happens to requests at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// A request that never ends by itself has begun.
    Began,
    /// It was dropped.
    Dropped,
}

/// Tells when it is dropped.
struct Watched(mpsc::UnboundedSender<Work>);

impl Watched {
    fn new(work: &mpsc::UnboundedSender<Work>) -> Self {
        let _ = work.send(Work::Began);
        Self(work.clone())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.0.send(Work::Dropped);
    }
}

pub(super) async fn node(gateways: Vec<Multiaddr>) -> TestNode {
    node_with(NodePeerConfig { gateways, ..NodePeerConfig::default() }).await
}

pub(super) async fn node_with(config: NodePeerConfig) -> TestNode {
    let (offer, offers) = watch::channel(offer("m", 5));
    let (load, loads) = watch::channel(Load::default());
    let (sender, work) = mpsc::unbounded_channel();
    let service = service_fn(move |request: Request<Incoming>| {
        let work = sender.clone();
        async move { Ok::<_, Infallible>(Response::new(serve(request, &work).await)) }
    });
    let peer = NodePeer::start(Identity::generate(), config, offers, loads, service).await.unwrap();
    TestNode { peer, offer, load, work }
}

type Reply = UnsyncBoxBody<Bytes, Infallible>;

/// `/echo` gives the body back, `/hang` never answers, `/stream` sends three chunks and then nothing for ever.
async fn serve(request: Request<Incoming>, work: &mpsc::UnboundedSender<Work>) -> Reply {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    match path.as_str() {
        "/hang" => {
            let _watched = Watched::new(work);
            std::future::pending().await
        }
        "/stream" => {
            let watched = Arc::new(Watched::new(work));
            let chunks = futures::stream::iter(["one", "two", "three"]).chain(futures::stream::pending());
            let frames = chunks.map(move |chunk| {
                let _kept = &watched;
                Ok(Frame::data(Bytes::from_static(chunk.as_bytes())))
            });
            StreamBody::new(frames).boxed_unsync()
        }
        "/chunks" => {
            let frames = futures::stream::iter(["one", "two", "three"]).map(|chunk| Ok(Frame::data(chunk.into())));
            StreamBody::new(frames).boxed_unsync()
        }
        _ => Full::new(body).boxed_unsync(),
    }
}

pub(super) fn request(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(path).body(Full::new(body.into())).unwrap()
}

/// Waits until the gateway's directory looks like this.
pub(super) async fn until(gateway: &GatewayPeer, looks: impl Fn(&Snapshot) -> bool) {
    let mut versions = gateway.directory().versions();
    let seen = timeout(PATIENCE, versions.wait_for(|_| looks(&gateway.directory().snapshot()))).await;
    assert!(seen.is_ok(), "the directory never looked like that: {:?}", gateway.directory().snapshot());
}

/// Waits until the gateway would send requests for `m` to this node.
pub(super) async fn until_routable(gateway: &GatewayPeer, peer: PeerId) {
    until(gateway, |snapshot| snapshot.candidates("m").iter().any(|candidate| candidate.peer_id() == peer)).await;
}

pub(super) async fn until_status(node: &NodePeer, looks: impl Fn(&NodeStatus) -> bool) {
    let mut status = node.status();
    let seen = timeout(PATIENCE, status.wait_for(|status| looks(status))).await.is_ok();
    assert!(seen, "the status never looked like that: {:?}", node.status().borrow());
}
