//! Both sides over an in-memory stream and a clock that stands still unless everybody waits.

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

#[tokio::test(start_paused = true)]
async fn an_advert_makes_a_node_routable_and_silence_takes_it_out() {
    let mut session = Session::start(Directory::new(10));
    let advert = session.advert(7, offer("m", 5));
    session.say_advert(&advert).await;
    assert_eq!(session.hear().await, Some(FromGateway::Accepted(Nonce { nonce: 7 })));
    assert_eq!(session.routable(), 1);
    let started = Instant::now();
    assert_eq!((&mut session.end).await.unwrap(), End::Silent);
    assert_eq!(started.elapsed(), Duration::from_secs(3));
    assert_eq!(session.routable(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_closed_stream_takes_the_node_out_at_once() {
    let mut session = Session::start(Directory::new(10));
    let advert = session.advert(7, offer("m", 5));
    session.say_advert(&advert).await;
    session.hear().await;
    let started = Instant::now();
    let Session { end, directory, reader, writer, .. } = session;
    drop((reader, writer));
    assert_eq!(end.await.unwrap(), End::Closed);
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert!(directory.snapshot().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_keeps_a_node_until_its_advert_expires() {
    let mut session = Session::start(Directory::new(10));
    let advert = session.advert(1, offer("m", 5));
    session.say_advert(&advert).await;
    session.hear().await;
    for second in 1..=59 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        session.say(load(second)).await;
        assert_eq!(session.routable(), 1, "after {second} s");
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(session.routable(), 0, "the advert expired");
    let next = session.advert(2, offer("m", 5));
    session.say_advert(&next).await;
    session.hear().await;
    assert_eq!(session.routable(), 1, "a new advert brings it back");
}

#[tokio::test(start_paused = true)]
async fn a_node_without_an_advert_is_not_kept() {
    let mut session = Session::start(Directory::new(10));
    for _ in 0..59 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        session.say(load(0)).await;
    }
    assert!(!session.end.is_finished());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(session.end.await.unwrap(), End::WithoutAdvert);
}

#[tokio::test(start_paused = true)]
async fn mistakes_are_refused_by_field_and_are_no_offence() {
    let mut session = Session::start(Directory::new(10));
    let good = session.advert(0, offer("m", 5));
    type Change = fn(&mut Advert);
    let broken: [(&str, Change); 6] = [
        ("models[0].ask.output", |advert| advert.offer.models[0].ask.output = MAX_PRICE + 1),
        ("models[1].id", |advert| advert.offer.models = vec![advert.offer.models[0].clone(); 2]),
        ("issued_at_ms", |advert| {
            advert.issued_at_ms += 301_000;
            advert.expires_at_ms += 301_000;
        }),
        ("issued_at_ms", |advert| advert.issued_at_ms -= 301_000),
        ("expires_at_ms", |advert| advert.expires_at_ms = advert.issued_at_ms),
        ("expires_at_ms", |advert| advert.expires_at_ms = advert.issued_at_ms + 600_001),
    ];
    for (seq, (field, change)) in (1..).zip(broken) {
        let mut advert = Advert { seq, ..good.clone() };
        change(&mut advert);
        session.say_advert(&advert).await;
        assert_eq!(session.refused_field().await, field);
        assert_eq!(session.routable(), 0);
    }
    session.say_advert(&Advert { seq: 9, ..good }).await;
    assert_eq!(session.hear().await, Some(FromGateway::Accepted(Nonce { nonce: 9 })));
}

#[tokio::test(start_paused = true)]
async fn a_refused_advert_withdraws_the_accepted_one() {
    let mut session = Session::start(Directory::new(10));
    let advert = session.advert(1, offer("m", 5));
    session.say_advert(&advert).await;
    session.hear().await;
    let too_dear = session.advert(2, offer("m", MAX_PRICE));
    session.say_advert(&too_dear).await;
    assert_eq!(session.refused_field().await, "models[0].ask.output");
    assert_eq!(session.routable(), 0, "nobody offers the old price any more");
    let cheaper = session.advert(3, offer("m", 4));
    session.say_advert(&cheaper).await;
    assert_eq!(session.hear().await, Some(FromGateway::Accepted(Nonce { nonce: 3 })));
    assert_eq!(session.directory.snapshot().candidates("m")[0].offer().ask.input, 4);
}

#[tokio::test(start_paused = true)]
async fn a_full_directory_refuses() {
    let directory = Directory::new(1);
    let mut first = Session::start(directory.clone());
    let advert = first.advert(1, offer("m", 5));
    first.say_advert(&advert).await;
    first.hear().await;
    let mut second = Session::start(directory);
    let advert = second.advert(1, offer("m", 5));
    second.say_advert(&advert).await;
    match second.hear().await {
        Some(FromGateway::Refused(refused)) => assert!(refused.reason.contains("no room"), "{refused:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(second.routable(), 1);
}

#[tokio::test(start_paused = true)]
async fn rules_of_admission_hold_at_once_and_are_asked_again_when_they_change() {
    let admission = watch::Sender::new(std::sync::Arc::new(Only("op")) as std::sync::Arc<dyn Admission>);
    let rules = Rules { admissions: admission.subscribe(), ..rules() };
    let mut session = Session::start_with(Directory::new(10), rules);
    let advert = session.advert(1, offer("m", 5));
    session.say_advert(&advert).await;
    assert_eq!(session.hear().await, Some(FromGateway::Accepted(Nonce { nonce: 1 })));
    let posing = session.advert(2, Offer { operator: Some("somebody".into()), ..offer("m", 5) });
    session.say_advert(&posing).await;
    assert_eq!(session.refused_field().await, "operator");
    assert_eq!(session.routable(), 0);
    let own = session.advert(3, offer("m", 5));
    session.say_advert(&own).await;
    assert_eq!(session.hear().await, Some(FromGateway::Accepted(Nonce { nonce: 3 })));

    let changed = Instant::now();
    admission.send_replace(std::sync::Arc::new(Only("others")));
    assert_eq!(session.refused_field().await, "operator");
    assert_eq!(session.routable(), 0);
    admission.send_replace(std::sync::Arc::new(OpenToAll));
    assert_eq!(session.hear().await, Some(FromGateway::Accepted(Nonce { nonce: 3 })));
    assert_eq!((session.routable(), changed.elapsed()), (1, Duration::ZERO), "its last advert still counts");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_never_admitted_is_not_kept() {
    let rules = Rules { admissions: always(Only("others")), ..rules() };
    let mut session = Session::start_with(Directory::new(10), rules);
    for second in 1..=59 {
        let advert = session.advert(second, offer("m", 5));
        session.say_advert(&advert).await;
        session.refused_field().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(!session.end.is_finished());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(session.end.await.unwrap(), End::WithoutAdvert);
}

/// Plays one offence three times and sees the peer blocked at the third.
async fn blocked_after_three(offence: impl Fn(&Session) -> FromNode) {
    let mut session = Session::start(Directory::new(10));
    let advert = session.advert(10, offer("m", 5));
    session.say_advert(&advert).await;
    session.hear().await;
    for _ in 0..2 {
        let frame = offence(&session);
        session.say(frame).await;
        assert_eq!(session.refused_field().await, "");
        assert_eq!(session.directory.snapshot().candidates("m")[0].offer().ask.input, 5);
    }
    let frame = offence(&session);
    session.say(frame).await;
    assert_eq!(session.end.await.unwrap(), End::Blocked);
    assert!(session.directory.snapshot().is_empty());
}

#[tokio::test(start_paused = true)]
async fn wrong_signatures_block() {
    blocked_after_three(|session| {
        let mut signed = sign_advert(&session.advert(11, offer("m", 1)), &session.identity).unwrap();
        signed.signature = vec![0; 64].into();
        FromNode::Advert(signed)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_key_blocks() {
    blocked_after_three(|session| {
        FromNode::Advert(sign_advert(&session.advert(11, offer("m", 1)), &Identity::generate()).unwrap())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_old_sequence_number_blocks() {
    blocked_after_three(|session| {
        FromNode::Advert(sign_advert(&session.advert(10, offer("m", 1)), &session.identity).unwrap())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_advert_without_content_blocks() {
    blocked_after_three(|_| FromNode::Advert(SignedAdvert::default())).await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_blocks() {
    let mut session = Session::start(Directory::new(10));
    let mut sent = 0;
    while !session.end.is_finished() {
        session.say(load(1)).await;
        sent += 1;
        assert!(sent < 1000, "nobody minds the flood");
        tokio::task::yield_now().await;
    }
    assert_eq!(session.end.await.unwrap(), End::Blocked);
    assert!(sent >= 64, "blocked after {sent} frames");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_dead() {
    let (near, far) = duplex(16);
    let directory = Directory::new(1);
    let (rules, peer) = (rules(), Identity::generate().peer_id());
    let end = GatewaySide::new(peer, far, &directory, &rules, &|_| false).run();
    let (_reader, mut writer) = split(near);
    let talking = async {
        loop {
            write_frame(&mut writer, load(0)).await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let ended = async {
        tokio::select! { end = end => end, () = talking => unreachable!() }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap(), End::Silent);
}

/// A node's session, and the gateway's end of the stream, which a test plays by hand.
struct Played {
    offer: watch::Sender<Offer>,
    load: watch::Sender<Load>,
    draining: watch::Sender<bool>,
    events: mpsc::UnboundedReceiver<Event>,
    reader: FrameReader<ReadHalf<DuplexStream>>,
    writer: WriteHalf<DuplexStream>,
    end: JoinHandle<String>,
}

fn play_gateway() -> Played {
    let (near, far) = duplex(1 << 16);
    let (offer, offers) = watch::channel(offer("m", 5));
    let (load, loads) = watch::channel(Load::default());
    let (draining, drains) = watch::channel(false);
    let (sender, events) = mpsc::unbounded_channel();
    let end = tokio::spawn(async move {
        let (identity, seq) = (Identity::generate(), AtomicU64::new(100));
        let sources = Sources {
            identity: &identity,
            seq: &seq,
            timings: ControlTimings::default(),
            offer: offers,
            load: loads,
            draining: drains,
        };
        let on_event = move |event| {
            let _ = sender.send(event);
        };
        NodeSide::new(far, sources, on_event).run().await.to_string()
    });
    let (reader, writer) = split(near);
    Played { offer, load, draining, events, reader: FrameReader::new(reader), writer, end }
}

impl Played {
    /// The next frame, and when it came after `since`.
    async fn hear(&mut self, since: Instant) -> (FromNode, u128) {
        // Something must be said, or the node takes the gateway for dead.
        write_frame(&mut self.writer, FromGateway::Probe(Nonce { nonce: 1 })).await.unwrap();
        loop {
            match self.reader.next::<FromNode>().await.unwrap().unwrap() {
                FromNode::Probed(Nonce { nonce: 1 }) => {}
                frame => return (frame, since.elapsed().as_millis()),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_sends_its_advert_again_before_it_expires_and_a_heartbeat_each_second() {
    let mut gateway = play_gateway();
    let started = Instant::now();
    let (mut adverts, mut loads) = (Vec::new(), Vec::new());
    while started.elapsed() < Duration::from_secs(45) {
        match gateway.hear(started).await {
            (FromNode::Advert(_), at) => adverts.push(at),
            (FromNode::Load(_), at) => loads.push(at),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(adverts, [0, 20_000, 40_000]);
    assert_eq!(loads, (0..=45).map(|second| second * 1000).collect::<Vec<u128>>());
}

#[tokio::test(start_paused = true)]
async fn changes_are_sent_at_once_and_not_more_often_than_allowed() {
    let mut gateway = play_gateway();
    let started = Instant::now();
    gateway.hear(started).await;
    gateway.hear(started).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let mut seen = Vec::new();
    for running in 1..=50 {
        gateway.load.send_replace(Load { running, ..Load::default() });
        gateway.offer.send_replace(offer("m", i64::from(running)));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    while started.elapsed() < Duration::from_millis(1700) {
        seen.push(gateway.hear(started).await);
    }
    let loads: Vec<(u32, u128)> = seen
        .iter()
        .filter_map(|(frame, at)| if let FromNode::Load(load) = frame { Some((load.running, *at)) } else { None })
        .collect();
    assert_eq!(loads.first().map(|(running, _)| *running), Some(1), "the first change goes out at once");
    assert!(loads.iter().any(|(running, _)| *running == 50), "the last change is not lost: {loads:?}");
    assert!(loads.len() <= 4, "half a second of changes is three reports and a heartbeat: {loads:?}");
    let adverts = seen.iter().filter(|(frame, _)| matches!(frame, FromNode::Advert(_))).count();
    assert!((2..=3).contains(&adverts), "{adverts}");
}

#[tokio::test(start_paused = true)]
async fn a_drain_is_said_and_heard() {
    let mut gateway = play_gateway();
    let started = Instant::now();
    gateway.draining.send_replace(true);
    while gateway.hear(started).await.0 != FromNode::Drain(Said {}) {}
    write_frame(&mut gateway.writer, FromGateway::Drained(Said {})).await.unwrap();
    assert_eq!(gateway.events.recv().await, Some(Event::Drained));
}

#[tokio::test(start_paused = true)]
async fn a_silent_gateway_is_dead_after_five_seconds() {
    let gateway = play_gateway();
    let started = Instant::now();
    assert!(gateway.end.await.unwrap().contains("silent"));
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_breaks_a_bound_is_not_sent() {
    let mut gateway = play_gateway();
    gateway.offer.send_replace(Offer { slots: 0, ..offer("m", 5) });
    let started = Instant::now();
    while gateway.hear(started).await.1 < 900 {}
    assert!(matches!(gateway.events.recv().await, Some(Event::Refused { field, .. }) if field == "slots"));
}

#[tokio::test(start_paused = true)]
async fn both_sides_understand_each_other() {
    let directory = Directory::new(10);
    let identity = Identity::generate();
    let (near, far) = duplex(1 << 16);
    let (rules, peer) = (rules(), identity.peer_id());
    let of_gateway = directory.clone();
    let gateway = tokio::spawn(async move { GatewaySide::new(peer, far, &of_gateway, &rules, &|_| false).run().await });
    let (offers, offer_watch) = watch::channel(offer("m", 5));
    let (loads, load_watch) = watch::channel(Load::default());
    let (_drain, draining) = watch::channel(false);
    let node = tokio::spawn(async move {
        let seq = AtomicU64::new(0);
        let timings = ControlTimings::default();
        let sources =
            Sources { identity: &identity, seq: &seq, timings, offer: offer_watch, load: load_watch, draining };
        NodeSide::new(near, sources, |_| {}).run().await.to_string()
    });
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(directory.snapshot().candidates("m").len(), 1, "routable as soon as the stream is open");
    tokio::time::sleep(Duration::from_secs(200)).await;
    loads.send_replace(Load { running: 3, ttft_ms: 40, ..Load::default() });
    offers.send_replace(offer("m", 6));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let snapshot = directory.snapshot();
    let candidate = &snapshot.candidates("m")[0];
    assert_eq!(candidate.offer().ask.input, 6);
    assert_eq!((candidate.stats().load().running, candidate.stats().ttft_ms()), (3, 40));
    assert!(!gateway.is_finished() && !node.is_finished());
    node.abort();
    assert_eq!(gateway.await.unwrap(), End::Closed);
}
