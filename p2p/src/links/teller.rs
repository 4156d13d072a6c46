//! The telling side of one link.

use std::convert::Infallible;
use std::time::Duration;

use libp2p::PeerId;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::debug;

use crate::control::{ControlTimings, next_change};
use crate::network::Announced;
use crate::roster::{Change, Feed};
use crate::wire::{
    FrameError, FrameReader, FromListener, FromTeller, GatewaysBody, LoadBody, LoadOf, LoadsBody, NodeBody, PeerBody,
    Said, write_frame,
};

/// Changes that are told before anything else is looked at.
const CHANGES_AT_ONCE: usize = 64;
/// Loads of one frame; each has some 70 bytes.
const LOADS_OF_A_FRAME: usize = 512;
/// What a listener may send in one heartbeat's time; it has nothing to say but that it is there.
const FRAMES_OF_A_BEAT: u32 = 16;

/// Why a link is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    /// The other gateway closed the stream.
    #[error("the other gateway closed the link")]
    Closed,
    /// It said nothing for too long, or did not read.
    #[error("the other gateway fell silent")]
    Silent,
    /// It says too much.
    #[error("the other gateway floods this one")]
    Flooded,
    /// The stream failed.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// One session.
pub(super) struct Teller<S> {
    reader: FrameReader<ReadHalf<S>>,
    writer: WriteHalf<S>,
    feed: Feed,
    announced: Announced,
    timings: ControlTimings,
    heard: u32,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Teller<S> {
    pub(super) fn new(stream: S, feed: Feed, announced: Announced, timings: ControlTimings) -> Self {
        let (reader, writer) = split(stream);
        Self { reader: FrameReader::new(reader), writer, feed, announced, timings, heard: 0 }
    }

    /// Tells until the link is over.
    pub(super) async fn run(mut self) -> Lost {
        match self.tell().await {
            Ok(never) => match never {},
            Err(lost) => lost,
        }
    }

    async fn tell(&mut self) -> Result<Infallible, Lost> {
        let mut addresses = self.announced.watch();
        addresses.mark_changed();
        let (mut beats, mut loads) = (every(self.timings.heartbeat), every(self.timings.min_gap));
        let mut dead_at = Instant::now() + self.timings.gateway_silence;
        loop {
            tokio::select! {
                frame = self.reader.next::<FromListener>() => {
                    let FromListener::Beat(Said {}) = frame?.ok_or(Lost::Closed)?;
                    self.heard += 1;
                    if self.heard > FRAMES_OF_A_BEAT {
                        return Err(Lost::Flooded);
                    }
                    dead_at = Instant::now() + self.timings.gateway_silence;
                }
                () = next_change(&mut addresses) => {
                    addresses.mark_unchanged();
                    let multiaddrs = self.announced.now().iter().map(ToString::to_string).collect();
                    self.say(FromTeller::Hello(GatewaysBody { multiaddrs })).await?;
                }
                () = self.feed.changed() => {
                    for change in self.feed.changes(CHANGES_AT_ONCE) {
                        self.say_change(change).await?;
                    }
                }
                _ = loads.tick() => self.say_loads().await?,
                _ = beats.tick() => {
                    self.heard = 0;
                    self.say(FromTeller::Beat(Said {})).await?;
                }
                () = sleep_until(dead_at) => return Err(Lost::Silent),
            }
        }
    }

    async fn say_change(&mut self, change: Change) -> Result<(), Lost> {
        let frame = match change {
            Change::Left(peer) => FromTeller::Left(PeerBody { peer: bytes_of(peer) }),
            Change::Drains(peer) => FromTeller::Drains(PeerBody { peer: bytes_of(peer) }),
            Change::Node { peer, advert, load, draining } => {
                FromTeller::Node(NodeBody { peer: bytes_of(peer), advert, load, draining })
            }
        };
        match self.say(frame).await {
            // An advert that just fits the control stream may not fit here; the node has other gateways.
            Err(Lost::Frame(FrameError::Oversized(bytes))) => {
                debug!(bytes, "an advert is too large to be told of");
                Ok(())
            }
            said => said,
        }
    }

    async fn say_loads(&mut self) -> Result<(), Lost> {
        let of = |(peer, load): &(PeerId, LoadBody)| LoadOf { peer: bytes_of(*peer), load: *load };
        for some in self.feed.loads().chunks(LOADS_OF_A_FRAME) {
            self.say(FromTeller::Loads(LoadsBody { loads: some.iter().map(of).collect() })).await?;
        }
        Ok(())
    }

    async fn say(&mut self, frame: FromTeller) -> Result<(), Lost> {
        match timeout(self.timings.write_timeout, write_frame(&mut self.writer, frame)).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(Lost::Silent),
        }
    }
}

fn bytes_of(peer: PeerId) -> bytes::Bytes {
    peer.to_bytes().into()
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
