//! The listening side of one link.
//!
//! A node that is told of is held to what a node here is held to: its own signature, a newer sequence number (than any that
//! earlier links of this gateway told, too), the clock, the price cap, this gateway's rules of admission. It is in the directory until its advert expires, the teller says
//! that it left, or the link ends.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use libp2p::PeerId;
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::{debug, warn};

use super::MAX_NODES;
use super::heard::Heard;
use super::neighbours::Linked;
use super::pace::Pace;
use crate::control::{Rules, lifetime, next_change};
use crate::directory::{Directory, Registration};
use crate::offer::{Load, Offer};
use crate::wire::{
    FrameError, FrameReader, FromListener, FromTeller, LoadBody, NodeBody, PeerBody, Said, read_advert, write_frame,
};

/// Why a link is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The teller closed the stream, or the connection broke.
    Closed,
    /// It said nothing for too long, or did not read.
    Silent,
    /// It said what no honest gateway says.
    Offence(String),
}

/// A node that the teller has.
struct Told {
    /// The sequence number of the last advert.
    seq: u64,
    offer: Offer,
    /// When the advert expires.
    until: Instant,
    draining: bool,
    /// None where the rules of admission, or want of room, keep it out.
    registration: Option<Registration>,
}

/// One session.
pub(super) struct Listener<'a, S> {
    gateway: Arc<PeerId>,
    reader: FrameReader<ReadHalf<S>>,
    writer: WriteHalf<S>,
    directory: &'a Directory,
    rules: &'a Rules,
    linked: Linked,
    /// What earlier links of this gateway told, and this one does.
    heard: &'a Heard,
    pace: Pace,
    nodes: HashMap<PeerId, Told>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Listener<'a, S> {
    pub(super) fn new(
        gateway: PeerId,
        stream: S,
        directory: &'a Directory,
        rules: &'a Rules,
        linked: Linked,
        heard: &'a Heard,
    ) -> Self {
        let (reader, writer) = split(stream);
        let (reader, gateway) = (FrameReader::new(reader), Arc::new(gateway));
        Self { gateway, reader, writer, directory, rules, linked, heard, pace: Pace::new(), nodes: HashMap::new() }
    }

    /// Listens until the link is over. What was only known through it is out of the directory when this returns.
    pub(super) async fn run(mut self) -> End {
        match self.listen().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn listen(&mut self) -> Result<Infallible, End> {
        let timings = self.rules.timings;
        let mut admissions = self.rules.admissions.clone();
        let mut beats = interval(timings.heartbeat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut dead_at = Instant::now() + timings.node_silence;
        loop {
            tokio::select! {
                frame = self.reader.next::<FromTeller>() => {
                    self.on_frame(frame).await?;
                    dead_at = Instant::now() + timings.node_silence;
                }
                _ = beats.tick() => {
                    self.forget_expired();
                    self.say(FromListener::Beat(Said {})).await?;
                }
                () = next_change(&mut admissions) => {
                    let peers: Vec<PeerId> = self.nodes.keys().copied().collect();
                    peers.into_iter().for_each(|peer| self.settle(peer));
                }
                () = sleep_until(dead_at) => return Err(End::Silent),
            }
        }
    }

    async fn on_frame(&mut self, frame: Result<Option<FromTeller>, FrameError>) -> Result<(), End> {
        let frame = match frame {
            Ok(Some(frame)) => frame,
            Ok(None) => return Err(End::Closed),
            Err(error) if error.is_violation() => return Err(End::Offence(error.to_string())),
            Err(error) => {
                debug!(gateway = %self.gateway, %error, "a link broke");
                return Err(End::Closed);
            }
        };
        match frame {
            FromTeller::Hello(hello) => {
                self.pace.take(hello.encoded_len()).await;
                self.linked.moved_to(&hello.multiaddrs);
                Ok(())
            }
            FromTeller::Node(node) => {
                self.pace.take(node.encoded_len()).await;
                self.on_node(&node)
            }
            FromTeller::Loads(loads) => {
                self.pace.take(loads.encoded_len()).await;
                loads.loads.iter().try_for_each(|of| self.on_load(&of.peer, &of.load))
            }
            FromTeller::Drains(node) => {
                self.pace.take(0).await;
                self.on_drain(&node)
            }
            FromTeller::Left(node) => {
                self.pace.take(0).await;
                self.nodes.remove(&read_peer(&node.peer)?);
                Ok(())
            }
            FromTeller::Beat(Said {}) => {
                self.pace.take(0).await;
                Ok(())
            }
        }
    }

    fn on_node(&mut self, node: &NodeBody) -> Result<(), End> {
        let peer = read_peer(&node.peer)?;
        let advert = read_advert(&node.advert, peer)
            .map_err(|error| End::Offence(format!("an advert of {peer} is not believed: {error}")))?;
        if self.nodes.get(&peer).is_some_and(|told| advert.seq <= told.seq) {
            return Err(End::Offence(format!("an advert of {peer} is not newer than the last one")));
        }
        if let Err(error) = self.rules.check(&advert) {
            debug!(gateway = %self.gateway, node = %peer, %error, "a node of another gateway is not taken");
            self.nodes.remove(&peer);
            return Ok(());
        }
        if self.nodes.len() >= MAX_NODES && !self.nodes.contains_key(&peer) {
            debug!(gateway = %self.gateway, node = %peer, "the other gateway has too many nodes");
            return Ok(());
        }
        if let Err(reason) = self.heard.note(peer, advert.seq) {
            debug!(gateway = %self.gateway, node = %peer, reason, "a node of another gateway is not taken");
            self.nodes.remove(&peer);
            return Ok(());
        }
        let (seq, until) = (advert.seq, Instant::now() + lifetime(&advert));
        let earlier = self.nodes.remove(&peer).and_then(|told| told.registration);
        let (offer, draining) = (advert.offer, node.draining);
        self.nodes.insert(peer, Told { seq, offer, until, draining, registration: earlier });
        self.settle(peer);
        node.load.as_ref().map_or(Ok(()), |load| self.on_load(&node.peer, load))
    }

    /// Takes a node in, changes it, or takes it out, as its advert and the rules of admission have it.
    fn settle(&mut self, peer: PeerId) {
        let Some(told) = self.nodes.get_mut(&peer) else { return };
        if let Err(refused) = self.rules.admit(peer, &told.offer) {
            debug!(gateway = %self.gateway, node = %peer, reason = refused.reason, "a node of another gateway is not taken");
            told.registration = None;
            return;
        }
        match &mut told.registration {
            Some(registration) => {
                registration.update(told.offer.clone());
            }
            None => match self.directory.register_via(peer, &told.offer, &self.gateway) {
                Ok(registration) => told.registration = Some(registration),
                Err(full) => warn!(gateway = %self.gateway, node = %peer, %full, "no room for another gateway's node"),
            },
        }
        if told.draining {
            told.registration.iter_mut().for_each(Registration::drain);
        }
    }

    fn on_load(&self, peer: &[u8], load: &LoadBody) -> Result<(), End> {
        let told = self.nodes.get(&read_peer(peer)?);
        if let Some(registration) = told.and_then(|told| told.registration.as_ref()) {
            registration.stats().seen();
            registration.stats().report(&Load::from(load));
        }
        Ok(())
    }

    fn on_drain(&mut self, node: &PeerBody) -> Result<(), End> {
        if let Some(told) = self.nodes.get_mut(&read_peer(&node.peer)?) {
            told.draining = true;
            told.registration.iter_mut().for_each(Registration::drain);
        }
        Ok(())
    }

    fn forget_expired(&mut self) {
        let now = Instant::now();
        self.nodes.retain(|_, told| told.until > now);
    }

    async fn say(&mut self, frame: FromListener) -> Result<(), End> {
        match timeout(self.rules.timings.write_timeout, write_frame(&mut self.writer, frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Closed),
            Err(_) => Err(End::Silent),
        }
    }
}

fn read_peer(bytes: &[u8]) -> Result<PeerId, End> {
    PeerId::from_bytes(bytes).map_err(|_| End::Offence("what should be a peer id is none".to_owned()))
}
