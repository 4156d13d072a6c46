//! A gateway's side of one control stream.
//!
//! Everything that arrives is checked before it changes anything. What the node's operator may have got wrong, such as
//! a price over the cap, is refused with the reason and nothing else happens. What no honest node does, such as an advert
//! with another's signature, is an offence: it is refused as well, and the third one blocks the peer.

use std::time::Duration;

use libp2p::PeerId;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::{debug, info};

use super::ControlTimings;
use super::flood::FrameBudget;
use crate::clock;
use crate::directory::{Directory, Registration};
use crate::offer::{Load, OfferError};
use crate::wire::{
    Advert, FrameError, FrameReader, FromGateway, FromNode, GatewaysBody, LoadBody, Nonce, RefusedBody, Said,
    SignedAdvert, read_advert, write_frame,
};

/// How far a node's clock may be off.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(300);
/// An advert may not claim to count for longer.
const LONGEST_LIFETIME: Duration = Duration::from_secs(600);
/// A node whose adverts are all refused, or that sends none, has this long to send one that is not.
const WITHOUT_ADVERT: Duration = Duration::from_secs(60);

/// What adverts are held against, and what nodes are told.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) timings: ControlTimings,
    /// Nano-USD per million tokens.
    pub(crate) max_price: i64,
    /// Other gateways that nodes may dial.
    pub(crate) other_gateways: Vec<String>,
}

/// Why the session is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The node closed the stream, or the connection broke.
    Closed,
    /// It said nothing for too long, or did not read what it was told.
    Silent,
    /// It has no valid advert.
    WithoutAdvert,
    /// It committed an offence after which the stream cannot go on.
    Offence,
    /// It is blocked.
    Blocked,
}

/// One session.
pub(super) struct GatewaySide<'a, S> {
    peer: PeerId,
    reader: FrameReader<ReadHalf<S>>,
    writer: WriteHalf<S>,
    directory: &'a Directory,
    rules: &'a Rules,
    /// Notes an offence; true where the peer is to be blocked.
    offend: &'a (dyn Fn(PeerId) -> bool + Send + Sync),
    budget: FrameBudget,
    registration: Option<Registration>,
    /// The sequence number of the last advert that was read.
    seq: Option<u64>,
    /// When the advert expires, or when there must be one.
    valid_until: Instant,
    draining: bool,
    probe: Option<(u64, Instant)>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> GatewaySide<'a, S> {
    pub(super) fn new(
        peer: PeerId,
        stream: S,
        directory: &'a Directory,
        rules: &'a Rules,
        offend: &'a (dyn Fn(PeerId) -> bool + Send + Sync),
    ) -> Self {
        let (reader, writer) = split(stream);
        Self {
            peer,
            reader: FrameReader::new(reader),
            writer,
            directory,
            rules,
            offend,
            budget: FrameBudget::new(),
            registration: None,
            seq: None,
            valid_until: Instant::now() + WITHOUT_ADVERT,
            draining: false,
            probe: None,
        }
    }

    /// Runs until the session is over. The node is out of the directory when this returns.
    pub(super) async fn run(mut self) -> End {
        match self.listen().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn listen(&mut self) -> Result<std::convert::Infallible, End> {
        if !self.rules.other_gateways.is_empty() {
            let multiaddrs = self.rules.other_gateways.clone();
            self.say(FromGateway::Gateways(GatewaysBody { multiaddrs })).await?;
        }
        let mut probes = interval(self.rules.timings.heartbeat);
        probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut dead_at = Instant::now() + self.rules.timings.node_silence;
        loop {
            tokio::select! {
                frame = self.reader.next::<FromNode>() => {
                    dead_at = Instant::now() + self.rules.timings.node_silence;
                    self.on_frame(frame).await?;
                }
                _ = probes.tick() => self.send_probe().await?,
                () = tokio::time::sleep_until(dead_at) => return Err(End::Silent),
                () = tokio::time::sleep_until(self.valid_until) => self.on_expiry()?,
            }
        }
    }

    async fn on_frame(&mut self, frame: Result<Option<FromNode>, FrameError>) -> Result<(), End> {
        let frame = match frame {
            Ok(Some(frame)) => frame,
            Ok(None) => return Err(End::Closed),
            Err(error) if error.is_violation() => {
                self.offence(&error.to_string()).await?;
                return Err(End::Offence);
            }
            Err(error) => {
                debug!(peer = %self.peer, %error, "control stream broke");
                return Err(End::Closed);
            }
        };
        if !self.budget.take() {
            return self.offence("too many frames").await;
        }
        if let Some(registration) = &self.registration {
            registration.stats().seen();
        }
        match frame {
            FromNode::Advert(signed) => self.on_advert(&signed).await,
            FromNode::Load(load) => {
                self.on_load(&load);
                Ok(())
            }
            FromNode::Drain(Said {}) => self.on_drain().await,
            FromNode::Probed(answer) => {
                self.on_probed(answer);
                Ok(())
            }
        }
    }

    async fn on_advert(&mut self, signed: &SignedAdvert) -> Result<(), End> {
        let advert = match read_advert(signed, self.peer) {
            Ok(advert) => advert,
            Err(error) => return self.offence(&format!("the advert is not believed: {error}")).await,
        };
        if self.seq.is_some_and(|seq| advert.seq <= seq) {
            return self.offence("the advert is not newer than the last one").await;
        }
        self.seq = Some(advert.seq);
        if let Err(error) = self.check(&advert) {
            // The node no longer stands by what it offered before.
            self.withdraw();
            return self.refuse(&error.reason, &error.field).await;
        }
        // The lifetime counts from its arrival, on our clock: the node's may be off.
        let lifetime = Duration::from_millis(advert.expires_at_ms.saturating_sub(advert.issued_at_ms));
        match &mut self.registration {
            Some(registration) => {
                if registration.update(advert.offer) {
                    debug!(peer = %self.peer, seq = advert.seq, "node changed its offer");
                }
            }
            None => match self.directory.register(self.peer, advert.offer) {
                Ok(mut registration) => {
                    if self.draining {
                        registration.drain();
                    }
                    info!(peer = %self.peer, "node joined");
                    self.registration = Some(registration);
                }
                Err(full) => return self.refuse(&full.to_string(), "").await,
            },
        }
        self.valid_until = Instant::now() + lifetime;
        self.say(FromGateway::Accepted(Nonce { nonce: advert.seq })).await
    }

    fn check(&self, advert: &Advert) -> Result<(), OfferError> {
        let tolerance = u64::try_from(CLOCK_TOLERANCE.as_millis()).unwrap_or(u64::MAX);
        let longest = u64::try_from(LONGEST_LIFETIME.as_millis()).unwrap_or(u64::MAX);
        if advert.issued_at_ms.abs_diff(clock::unix_ms()) > tolerance {
            return Err(OfferError::new("issued_at_ms", "the clocks differ by more than five minutes; set yours"));
        }
        if advert.expires_at_ms <= advert.issued_at_ms || advert.expires_at_ms - advert.issued_at_ms > longest {
            return Err(OfferError::new(
                "expires_at_ms",
                "an advert must count for more than nothing and 10 minutes at most",
            ));
        }
        advert.offer.check(self.rules.max_price)
    }

    fn on_load(&self, load: &LoadBody) {
        if let Some(registration) = &self.registration {
            registration.stats().report(&Load {
                running: load.running,
                waiting: load.waiting,
                free_slots: load.free_slots,
                ttft_ms: load.ttft_ms,
                tokens_per_second_milli: load.tokens_per_second_milli,
            });
        }
    }

    async fn on_drain(&mut self) -> Result<(), End> {
        self.draining = true;
        if let Some(registration) = &mut self.registration {
            registration.drain();
            info!(peer = %self.peer, "node drains");
        }
        self.say(FromGateway::Drained(Said {})).await
    }

    fn on_probed(&mut self, answer: Nonce) {
        if let Some((nonce, sent)) = self.probe
            && nonce == answer.nonce
        {
            self.probe = None;
            if let Some(registration) = &self.registration {
                registration.stats().set_round_trip(sent.elapsed());
            }
        }
    }

    async fn send_probe(&mut self) -> Result<(), End> {
        let nonce = rand::random();
        self.probe = Some((nonce, Instant::now()));
        self.say(FromGateway::Probe(Nonce { nonce })).await
    }

    /// An expired advert takes the node out; it may send a new one.
    fn on_expiry(&mut self) -> Result<(), End> {
        if self.registration.is_none() {
            return Err(End::WithoutAdvert);
        }
        info!(peer = %self.peer, "node's advert expired");
        self.withdraw();
        Ok(())
    }

    fn withdraw(&mut self) {
        if self.registration.take().is_some() {
            self.valid_until = Instant::now() + WITHOUT_ADVERT;
        }
    }

    async fn offence(&mut self, what: &str) -> Result<(), End> {
        debug!(peer = %self.peer, what, "a node broke the protocol");
        if (self.offend)(self.peer) {
            return Err(End::Blocked);
        }
        self.refuse(what, "").await
    }

    async fn refuse(&mut self, reason: &str, field: &str) -> Result<(), End> {
        debug!(peer = %self.peer, reason, field, "refused what a node said");
        self.say(FromGateway::Refused(RefusedBody { reason: reason.to_owned(), field: field.to_owned() })).await
    }

    async fn say(&mut self, frame: FromGateway) -> Result<(), End> {
        match timeout(self.rules.timings.write_timeout, write_frame(&mut self.writer, frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Closed),
            Err(_) => Err(End::Silent),
        }
    }
}
