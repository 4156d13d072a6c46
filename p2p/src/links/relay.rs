//! Passes requests of peer gateways on to nodes that are connected here.
//!
//! The asking gateway names the node when it opens a stream, and is greeted when the node has greeted us: until then
//! nothing of a request was sent, on either leg. Bytes then pass as they come. When either end closes, the other is
//! closed at once, with whatever is under way: that is how a node learns that a caller has left.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use libp2p::PeerId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::directory::Directory;
use crate::streams::{HTTP, InboundStream, Streams};

/// Streams that are passed on at a time.
const MAX_RELAYS: usize = 4096;
/// Time for the opening.
const OPENING_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for the last bytes of an answer to leave.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes under way in one direction of a stream.
const BUFFER: usize = 16 << 10;

/// Passes streams on.
pub(crate) struct Relay {
    pub(crate) streams: Streams,
    pub(crate) directory: Directory,
    /// Whose streams are passed on.
    pub(crate) peers: HashSet<PeerId>,
}

impl Relay {
    /// Runs until it is cancelled or no stream can come any more. All streams are closed then.
    pub(crate) async fn run(self, mut inbound: mpsc::Receiver<InboundStream>, stop: CancellationToken) {
        let relay = Arc::new(self);
        let mut relayed = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                stream = inbound.recv() => match stream {
                    None => break,
                    Some(stream) if !relay.peers.contains(&stream.peer) => {
                        debug!(peer = %stream.peer, "a peer that is no peer gateway asked for a node");
                    }
                    Some(stream) if relayed.len() >= MAX_RELAYS => {
                        debug!(peer = %stream.peer, "no room for another relayed stream");
                    }
                    Some(stream) => {
                        relayed.spawn(relay.clone().pass_on(stream));
                    }
                },
                Some(ended) = relayed.join_next() => {
                    if let Err(error) = ended && error.is_panic() {
                        warn!(%error, "a relayed stream failed badly");
                    }
                }
            }
        }
        relayed.shutdown().await;
    }

    /// Returning drops the stream, which tells the asker that nothing was sent or that it is over.
    async fn pass_on(self: Arc<Self>, mut asker: InboundStream) {
        let gateway = asker.peer;
        let Ok(Ok(opening)) = timeout(OPENING_TIMEOUT, asker.opening()).await else { return };
        let Ok(node) = PeerId::from_bytes(&opening) else {
            debug!(%gateway, "a relayed stream names no node");
            return;
        };
        // Only who is connected here: a request is passed on once, never round in circles.
        if self.directory.snapshot().node(node).is_none_or(|node| node.via().is_some()) {
            debug!(%gateway, %node, "a relayed stream names a node that is not here");
            return;
        }
        let far = match self.streams.open(node, HTTP).await {
            Ok(far) => far,
            Err(error) => {
                debug!(%gateway, %node, %error, "a relayed stream did not reach its node");
                return;
            }
        };
        if let Ok(near) = asker.serve().await {
            splice(near, far).await;
        }
    }
}

/// Passes bytes both ways until either end closes or breaks, and drops both.
async fn splice<A, B>(near: A, far: B)
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let ((mut near_reader, mut near_writer), (mut far_reader, mut far_writer)) = (split(near), split(far));
    tokio::select! {
        () = copy(&mut near_reader, &mut far_writer) => {}
        () = copy(&mut far_reader, &mut near_writer) => {
            // The node has said its last: let it arrive.
            let _ = timeout(CLOSING_TIMEOUT, near_writer.shutdown()).await;
        }
    }
}

/// Copies until the source ends or either breaks; which of them does not matter.
async fn copy(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..length]).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[tokio::test]
    async fn bytes_pass_both_ways_and_an_end_on_either_side_ends_both() {
        for asker_leaves in [true, false] {
            let ((mut asker, near), (far, mut node)) = (duplex(64), duplex(64));
            let relayed = tokio::spawn(splice(near, far));
            asker.write_all(b"question").await.unwrap();
            let mut heard = [0; 8];
            node.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"question");
            node.write_all(b"answered").await.unwrap();
            asker.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"answered");
            let mut rest = Vec::new();
            if asker_leaves {
                drop(asker);
                node.read_to_end(&mut rest).await.unwrap();
            } else {
                node.write_all(b"last").await.unwrap();
                drop(node);
                asker.read_to_end(&mut rest).await.unwrap();
                assert_eq!(rest, b"last");
            }
            relayed.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_reader_that_stops_holds_up_a_bounded_number_of_bytes_and_is_still_seen_to_leave() {
        let ((asker, near), (far, mut node)) = (duplex(64), duplex(64));
        let relayed = tokio::spawn(splice(near, far));
        let mut sent = 0;
        while let Ok(written) = timeout(Duration::from_millis(200), node.write(&[0; 64])).await {
            sent += written.unwrap();
            assert!(sent <= 2 * BUFFER, "nobody reads, and {sent} bytes were taken");
        }
        drop(asker);
        relayed.await.unwrap();
        assert!(node.write_all(&[0; 64]).await.is_err());
    }
}
