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

use super::flood::FrameBudget;
use super::{Rules, lifetime, next_change};
use crate::admission::Admissions;
use crate::directory::{Directory, Registration};
use crate::offer::Load;
use crate::roster::Entry;
use crate::wire::{
    Advert, FrameError, FrameReader, FromGateway, FromNode, GatewaysBody, LoadBody, Nonce, RefusedBody, Said,
    SignedAdvert, read_advert, write_frame,
};

/// A node whose adverts are all refused, or that sends none, has this long to send one that is not.
const WITHOUT_ADVERT: Duration = Duration::from_secs(60);

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

/// The node's place, here and in what other gateways are told.
struct Standing {
    registration: Registration,
    entry: Option<Entry>,
}

/// The last advert that kept the bounds.
struct Offered {
    advert: Advert,
    /// For other gateways; none where there are none.
    signed: Option<SignedAdvert>,
    until: Instant,
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
    standing: Option<Standing>,
    offered: Option<Offered>,
    admissions: Admissions,
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
            standing: None,
            offered: None,
            admissions: rules.admissions.clone(),
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
        let mut other_gateways = self.rules.other_gateways.clone();
        if !other_gateways.borrow().is_empty() {
            other_gateways.mark_changed();
        }
        self.admissions.mark_unchanged();
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
                () = next_change(&mut other_gateways) => {
                    let multiaddrs = other_gateways.borrow_and_update().clone();
                    self.say(FromGateway::Gateways(GatewaysBody { multiaddrs })).await?;
                }
                () = next_change(&mut self.admissions) => self.on_other_rules().await?,
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
        if let Some(standing) = &self.standing {
            standing.registration.stats().seen();
        }
        match frame {
            FromNode::Advert(signed) => self.on_advert(&signed).await,
            FromNode::Load(load) => {
                self.on_load(load);
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
        if let Err(error) = self.rules.check(&advert) {
            // The node no longer stands by what it offered before.
            self.offered = None;
            self.withdraw();
            return self.refuse(&error.reason, &error.field).await;
        }
        let until = Instant::now() + lifetime(&advert);
        let signed = self.rules.roster.as_ref().map(|_| signed.detached());
        self.settle(Offered { advert, signed, until }).await
    }

    /// The rules of admission have changed: what they say of the node may have, too.
    async fn on_other_rules(&mut self) -> Result<(), End> {
        match self.offered.take() {
            Some(offered) if offered.until > Instant::now() => {
                let admitted = self.rules.admit(self.peer, &offered.advert.offer).is_ok();
                if admitted == self.standing.is_some() {
                    self.offered = Some(offered);
                    return Ok(());
                }
                self.settle(offered).await
            }
            _ => Ok(()),
        }
    }

    /// Takes the node in, changes it, or takes it out, as an advert and the rules of admission have it.
    async fn settle(&mut self, offered: Offered) -> Result<(), End> {
        let Offered { advert, signed, until } = self.offered.insert(offered);
        if let Err(refused) = self.rules.admit(self.peer, &advert.offer) {
            self.withdraw();
            return self.refuse(&refused.reason, refused.field).await;
        }
        let (seq, until) = (advert.seq, *until);
        match &mut self.standing {
            Some(Standing { registration, entry }) => {
                if registration.update(advert.offer.clone()) {
                    debug!(peer = %self.peer, seq, "node changed its offer");
                }
                if let (Some(entry), Some(signed)) = (entry, signed) {
                    entry.advertise(signed.clone());
                }
            }
            None => match self.directory.register(self.peer, advert.offer.clone()) {
                Ok(mut registration) => {
                    let roster = self.rules.roster.as_ref().zip(signed.as_ref());
                    let entry = roster.map(|(roster, signed)| roster.enter(self.peer, signed.clone()));
                    if self.draining {
                        registration.drain();
                        entry.iter().for_each(Entry::drain);
                    }
                    info!(peer = %self.peer, "node joined");
                    self.standing = Some(Standing { registration, entry });
                }
                Err(full) => return self.refuse(&full.to_string(), "").await,
            },
        }
        self.valid_until = until;
        self.say(FromGateway::Accepted(Nonce { nonce: seq })).await
    }

    fn on_load(&self, load: LoadBody) {
        if let Some(Standing { registration, entry }) = &self.standing {
            registration.stats().report(&Load::from(&load));
            entry.iter().for_each(|entry| entry.report(load));
        }
    }

    async fn on_drain(&mut self) -> Result<(), End> {
        self.draining = true;
        if let Some(Standing { registration, entry }) = &mut self.standing {
            registration.drain();
            entry.iter().for_each(Entry::drain);
            info!(peer = %self.peer, "node drains");
        }
        self.say(FromGateway::Drained(Said {})).await
    }

    fn on_probed(&mut self, answer: Nonce) {
        if let Some((nonce, sent)) = self.probe
            && nonce == answer.nonce
        {
            self.probe = None;
            if let Some(standing) = &self.standing {
                standing.registration.stats().set_round_trip(sent.elapsed());
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
        if self.standing.is_none() {
            return Err(End::WithoutAdvert);
        }
        info!(peer = %self.peer, "node's advert expired");
        self.withdraw();
        Ok(())
    }

    fn withdraw(&mut self) {
        if self.standing.take().is_some() {
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
