//! A node's side of one control stream.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf, split};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, warn};

use super::ControlTimings;
use super::flood::FrameBudget;
use super::next_change;
use crate::clock;
use crate::identity::Identity;
use crate::offer::{Load, Offer};
use crate::wire::{
    Advert, FrameError, FrameReader, FromGateway, FromNode, LoadBody, Nonce, Said, sign_advert, write_frame,
};

/// What a gateway lets a node know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The advert is in its directory.
    Accepted,
    /// It did not take something. The field is empty where it is about no part of the advert.
    Refused { reason: String, field: String },
    /// It sends no further requests.
    Drained,
    /// Other gateways, unchecked.
    Gateways(Vec<String>),
}

/// Why the session is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// The gateway closed the stream.
    #[error("the gateway closed the control stream")]
    Closed,
    /// The gateway said nothing for too long, or did not read.
    #[error("the gateway fell silent")]
    Silent,
    /// The gateway says too much.
    #[error("the gateway floods this node")]
    Flooded,
    /// The stream failed.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// What a session reads from.
#[derive(Debug, Clone)]
pub(crate) struct Sources<'a> {
    pub(crate) identity: &'a Identity,
    /// The last sequence number of this node's adverts, shared by all its sessions.
    pub(crate) seq: &'a AtomicU64,
    pub(crate) timings: ControlTimings,
    pub(crate) offer: watch::Receiver<Offer>,
    pub(crate) load: watch::Receiver<Load>,
    /// True once the node drains.
    pub(crate) draining: watch::Receiver<bool>,
}

/// One session.
pub(crate) struct NodeSide<'a, S, F> {
    reader: FrameReader<ReadHalf<S>>,
    writer: WriteHalf<S>,
    sources: Sources<'a>,
    on_event: F,
    budget: FrameBudget,
    /// When the advert is to be sent.
    advert_due: Instant,
    /// The earliest time for it.
    advert_allowed: Instant,
    load_due: Instant,
    load_allowed: Instant,
}

impl<'a, S, F> NodeSide<'a, S, F>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: FnMut(Event),
{
    pub(crate) fn new(stream: S, sources: Sources<'a>, on_event: F) -> Self {
        let (reader, writer) = split(stream);
        let now = Instant::now();
        Self {
            reader: FrameReader::new(reader),
            writer,
            sources,
            on_event,
            budget: FrameBudget::new(),
            advert_due: now,
            advert_allowed: now,
            load_due: now,
            load_allowed: now,
        }
    }

    /// Talks until the session is over.
    pub(crate) async fn run(mut self) -> Lost {
        match self.talk().await {
            Ok(never) => match never {},
            Err(lost) => lost,
        }
    }

    async fn talk(&mut self) -> Result<Infallible, Lost> {
        self.sources.offer.mark_unchanged();
        self.sources.load.mark_unchanged();
        self.sources.draining.mark_changed();
        let mut dead_at = Instant::now() + self.sources.timings.gateway_silence;
        loop {
            tokio::select! {
                frame = self.reader.next::<FromGateway>() => {
                    dead_at = Instant::now() + self.sources.timings.gateway_silence;
                    self.on_frame(frame?.ok_or(Lost::Closed)?).await?;
                }
                () = sleep_until(self.advert_due) => self.send_advert().await?,
                () = sleep_until(self.load_due) => self.send_load().await?,
                () = next_change(&mut self.sources.offer) => {
                    self.advert_due = self.advert_allowed;
                }
                () = next_change(&mut self.sources.load) => {
                    self.load_due = self.load_allowed;
                }
                () = next_change(&mut self.sources.draining) => {
                    if *self.sources.draining.borrow_and_update() {
                        self.say(FromNode::Drain(Said {})).await?;
                    }
                }
                () = sleep_until(dead_at) => return Err(Lost::Silent),
            }
        }
    }

    async fn on_frame(&mut self, frame: FromGateway) -> Result<(), Lost> {
        if !self.budget.take() {
            return Err(Lost::Flooded);
        }
        match frame {
            FromGateway::Probe(probe) => return self.say(FromNode::Probed(probe)).await,
            FromGateway::Accepted(Nonce { .. }) => (self.on_event)(Event::Accepted),
            FromGateway::Refused(refused) => {
                (self.on_event)(Event::Refused { reason: refused.reason, field: refused.field });
            }
            FromGateway::Drained(Said {}) => (self.on_event)(Event::Drained),
            FromGateway::Gateways(gateways) => (self.on_event)(Event::Gateways(gateways.multiaddrs)),
        }
        Ok(())
    }

    async fn send_advert(&mut self) -> Result<(), Lost> {
        let now = Instant::now();
        let timings = self.sources.timings;
        self.advert_due = now + timings.advert_refresh;
        self.advert_allowed = now + timings.min_gap;
        let offer = self.sources.offer.borrow_and_update().clone();
        if let Err(error) = offer.check(i64::MAX) {
            warn!(%error, "the offer breaks a bound and is not sent");
            (self.on_event)(Event::Refused { reason: error.reason, field: error.field });
            return Ok(());
        }
        let issued_at_ms = clock::unix_ms();
        let advert = Advert {
            seq: self.sources.seq.fetch_add(1, Ordering::Relaxed) + 1,
            issued_at_ms,
            expires_at_ms: issued_at_ms.saturating_add(millis(timings.advert_lifetime)),
            offer,
        };
        debug!(seq = advert.seq, "sending an advert");
        match sign_advert(&advert, self.sources.identity) {
            Some(signed) => self.say(FromNode::Advert(signed)).await,
            None => {
                warn!("the identity cannot sign; no advert is sent");
                Ok(())
            }
        }
    }

    async fn send_load(&mut self) -> Result<(), Lost> {
        let now = Instant::now();
        self.load_due = now + self.sources.timings.heartbeat;
        self.load_allowed = now + self.sources.timings.min_gap;
        let load = *self.sources.load.borrow_and_update();
        self.say(FromNode::Load(LoadBody {
            running: load.running,
            waiting: load.waiting,
            free_slots: load.free_slots,
            ttft_ms: load.ttft_ms,
            tokens_per_second_milli: load.tokens_per_second_milli,
        }))
        .await
    }

    async fn say(&mut self, frame: FromNode) -> Result<(), Lost> {
        match timeout(self.sources.timings.write_timeout, write_frame(&mut self.writer, frame)).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(Lost::Silent),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
