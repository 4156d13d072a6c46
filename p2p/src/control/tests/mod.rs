//! Both sides over an in-memory stream and a clock that stands still unless everybody waits.

mod node;
mod offences;
mod presence;
mod refusals;

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::gateway_side::{End, GatewaySide};
use super::{ControlTimings, Event, NodeSide, Offences, Rules, Sources};
use crate::admission::{Admission, NotAdmitted, OpenToAll, always};
use crate::clock::unix_ms;
use crate::directory::Directory;
use crate::identity::Identity;
use crate::offer::tests::offer;
use crate::offer::{Load, Offer};
use crate::wire::{
    Advert, FrameReader, FromGateway, FromNode, LoadBody, Nonce, RefusedBody, Said, SignedAdvert, sign_advert,
    write_frame,
};

const MAX_PRICE: i64 = 1_000_000;

fn rules() -> Rules {
    Rules {
        timings: ControlTimings::default(),
        max_price: MAX_PRICE,
        admissions: always(OpenToAll),
        other_gateways: watch::Sender::new(Vec::new()).subscribe(),
        roster: None,
    }
}

/// Takes the nodes that name this operator.
#[derive(Debug)]
struct Only(&'static str);

impl Admission for Only {
    fn admit(&self, _: libp2p::PeerId, operator: Option<&str>) -> Result<(), NotAdmitted> {
        let refused = NotAdmitted { field: "operator", reason: format!("only {}", self.0) };
        if operator == Some(self.0) { Ok(()) } else { Err(refused) }
    }
}

/// A gateway's session, and the node's end of the stream, which a test plays by hand.
struct Session {
    identity: Identity,
    directory: Directory,
    reader: FrameReader<ReadHalf<DuplexStream>>,
    writer: WriteHalf<DuplexStream>,
    end: JoinHandle<End>,
}

impl Session {
    fn start(directory: Directory) -> Self {
        Self::start_with(directory, rules())
    }

    fn start_with(directory: Directory, rules: Rules) -> Self {
        let identity = Identity::generate();
        let peer = identity.peer_id();
        let (near, far) = duplex(1 << 20);
        let of_session = directory.clone();
        let end = tokio::spawn(async move {
            let offences = Offences::default();
            let offend = |peer| offences.add(peer);
            GatewaySide::new(peer, far, &of_session, &rules, &offend).run().await
        });
        let (reader, writer) = split(near);
        Self { identity, directory, reader: FrameReader::new(reader), writer, end }
    }

    async fn say(&mut self, frame: FromNode) {
        write_frame(&mut self.writer, frame).await.unwrap();
    }

    fn advert(&self, seq: u64, offer: Offer) -> Advert {
        Advert { seq, issued_at_ms: unix_ms(), expires_at_ms: unix_ms() + 60_000, offer }
    }

    async fn say_advert(&mut self, advert: &Advert) {
        let signed = sign_advert(advert, &self.identity).unwrap();
        self.say(FromNode::Advert(signed)).await;
    }

    /// The next thing that is said and is no probe.
    async fn hear(&mut self) -> Option<FromGateway> {
        loop {
            match self.reader.next::<FromGateway>().await.unwrap() {
                Some(FromGateway::Probe(_)) => {}
                other => return other,
            }
        }
    }

    async fn refused_field(&mut self) -> String {
        match self.hear().await {
            Some(FromGateway::Refused(RefusedBody { field, .. })) => field,
            other => panic!("not refused: {other:?}"),
        }
    }

    fn routable(&self) -> usize {
        self.directory.snapshot().candidates("m").len()
    }
}

fn load(running: u32) -> FromNode {
    FromNode::Load(LoadBody { running, ..LoadBody::default() })
}
