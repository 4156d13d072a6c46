//! Both sides of a link over an in-memory stream and a clock that stands still unless everybody waits.

use std::sync::Arc;
use std::time::Duration;

use libp2p::PeerId;
use tokio::io::{AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Neighbours;
use super::heard::Heard as Newest;
use super::listener::{End, Listener};
use super::teller::Teller;
use crate::admission::{Admission, NotAdmitted, OpenToAll};
use crate::clock::unix_ms;
use crate::control::{ControlTimings, Rules};
use crate::directory::Directory;
use crate::identity::Identity;
use crate::network::Announced;
use crate::offer::Offer;
use crate::offer::tests::offer;
use crate::roster::Roster;
use crate::wire::{
    Advert, FrameReader, FromListener, FromTeller, LoadBody, LoadOf, LoadsBody, NodeBody, PeerBody, Said, SignedAdvert,
    sign_advert, write_frame,
};

const MAX_PRICE: i64 = 1_000_000;

/// A listener, and the teller's end of the stream, which a test plays by hand.
struct Heard {
    gateway: PeerId,
    directory: Directory,
    admission: watch::Sender<Arc<dyn Admission>>,
    reader: FrameReader<ReadHalf<DuplexStream>>,
    writer: WriteHalf<DuplexStream>,
    end: JoinHandle<End>,
}

fn listen() -> Heard {
    listen_again(PeerId::random(), &Arc::default())
}

/// A further link of the same gateway.
fn listen_again(gateway: PeerId, newest: &Arc<Newest>) -> Heard {
    let (near, far) = duplex(1 << 20);
    let (newest, directory) = (Arc::clone(newest), Directory::new(10));
    let admission = watch::Sender::new(Arc::new(OpenToAll) as _);
    let rules = Rules {
        timings: ControlTimings::default(),
        max_price: MAX_PRICE,
        admissions: admission.subscribe(),
        other_gateways: watch::Sender::new(Vec::new()).subscribe(),
        roster: None,
    };
    let of_session = directory.clone();
    let end = tokio::spawn(async move {
        let linked = Neighbours::new(Vec::new()).link(gateway, 1);
        Listener::new(gateway, far, &of_session, &rules, linked, &newest).run().await
    });
    let (reader, writer) = split(near);
    Heard { gateway, directory, admission, reader: FrameReader::new(reader), writer, end }
}

fn advert(seq: u64, offer: Offer) -> Advert {
    Advert { seq, issued_at_ms: unix_ms(), expires_at_ms: unix_ms() + 60_000, offer }
}

fn bytes_of(node: &Identity) -> bytes::Bytes {
    node.peer_id().to_bytes().into()
}

impl Heard {
    async fn say(&mut self, frame: FromTeller) {
        write_frame(&mut self.writer, frame).await.unwrap();
    }

    async fn say_signed(&mut self, node: &Identity, signed: SignedAdvert) {
        let body = NodeBody { peer: bytes_of(node), advert: signed, load: None, draining: false };
        self.say(FromTeller::Node(body)).await;
    }

    async fn say_node(&mut self, node: &Identity, advert: &Advert) {
        self.say_signed(node, sign_advert(advert, node).unwrap()).await;
    }

    /// Gives the listener time to hear; nothing else happens on this clock.
    async fn settle(&mut self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    /// The price of each node, with who it is reached through.
    async fn seen(&mut self) -> Vec<(i64, Option<PeerId>)> {
        self.settle().await;
        let snapshot = self.directory.snapshot();
        snapshot.candidates("m").iter().map(|node| (node.offer().ask.input, node.node().via())).collect()
    }

    async fn offence(self) -> String {
        match self.end.await.unwrap() {
            End::Offence(what) => what,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_told_of_is_there_until_it_leaves() {
    let (mut link, node) = (listen(), Identity::generate());
    link.say_node(&node, &advert(1, offer("m", 5))).await;
    let via = Some(link.gateway);
    assert_eq!(link.seen().await, [(5, via)]);
    link.say_node(&node, &advert(2, offer("m", 7))).await;
    assert_eq!(link.seen().await, [(7, via)]);
    let load = LoadBody { running: 3, ..LoadBody::default() };
    link.say(FromTeller::Loads(LoadsBody { loads: vec![LoadOf { peer: bytes_of(&node), load }] })).await;
    link.settle().await;
    assert_eq!(link.directory.snapshot().candidates("m")[0].stats().load().running, 3);
    link.say(FromTeller::Drains(PeerBody { peer: bytes_of(&node) })).await;
    assert!(link.seen().await.is_empty());
    assert_eq!(link.directory.snapshot().len(), 1);
    link.say(FromTeller::Left(PeerBody { peer: bytes_of(&node) })).await;
    link.settle().await;
    assert!(link.directory.snapshot().is_empty());
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_link_and_what_was_known_through_it() {
    let (mut link, node) = (listen(), Identity::generate());
    link.say_node(&node, &advert(1, offer("m", 5))).await;
    let started = Instant::now();
    assert_eq!((&mut link.end).await.unwrap(), End::Silent);
    assert_eq!(started.elapsed(), Duration::from_secs(3));
    assert!(link.directory.snapshot().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_closed_link_takes_its_nodes_out_at_once() {
    let (mut link, node) = (listen(), Identity::generate());
    link.say_node(&node, &advert(1, offer("m", 5))).await;
    link.settle().await;
    let started = Instant::now();
    let Heard { end, directory, reader, writer, .. } = link;
    drop((reader, writer));
    assert_eq!(end.await.unwrap(), End::Closed);
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert!(directory.snapshot().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_advert_that_is_told_of_once_expires() {
    let (mut link, node) = (listen(), Identity::generate());
    link.say_node(&node, &advert(1, offer("m", 5))).await;
    for second in 1..=59 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        link.say(FromTeller::Beat(Said {})).await;
        assert_eq!(link.seen().await.len(), 1, "after {second} s");
    }
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        link.say(FromTeller::Beat(Said {})).await;
    }
    assert!(link.seen().await.is_empty());
    assert!(!link.end.is_finished());
}

#[tokio::test(start_paused = true)]
async fn only_the_nodes_own_signature_counts() {
    let (mut link, node) = (listen(), Identity::generate());
    let mut signed = sign_advert(&advert(1, offer("m", 5)), &node).unwrap();
    signed.payload = sign_advert(&advert(1, offer("m", 4)), &node).unwrap().payload;
    link.say_signed(&node, signed).await;
    assert!(link.offence().await.contains("signature"));

    let (mut link, other) = (listen(), Identity::generate());
    link.say_signed(&node, sign_advert(&advert(1, offer("m", 5)), &other).unwrap()).await;
    assert!(link.offence().await.contains("another peer"));
}

#[tokio::test(start_paused = true)]
async fn an_advert_told_of_again_is_an_offence() {
    let (mut link, node) = (listen(), Identity::generate());
    link.say_node(&node, &advert(2, offer("m", 5))).await;
    link.say_node(&node, &advert(1, offer("m", 1))).await;
    assert!(link.offence().await.contains("not newer"));
}

#[tokio::test(start_paused = true)]
async fn a_new_link_may_tell_again_what_is_known_and_nothing_older() {
    let (gateway, newest, node) = (PeerId::random(), Arc::default(), Identity::generate());
    let mut first = listen_again(gateway, &newest);
    first.say_node(&node, &advert(7, offer("m", 5))).await;
    assert_eq!(first.seen().await, [(5, Some(gateway))]);
    drop(first);
    let mut again = listen_again(gateway, &newest);
    again.say_node(&node, &advert(6, offer("m", 1))).await;
    assert_eq!(again.seen().await, [], "the node asked so little before, and does no longer");
    again.say_node(&node, &advert(7, offer("m", 5))).await;
    assert_eq!(again.seen().await, [(5, Some(gateway))]);
    let mut other = listen();
    other.say_node(&node, &advert(6, offer("m", 1))).await;
    assert_eq!(other.seen().await.len(), 1, "another gateway may know less");
}

#[tokio::test(start_paused = true)]
async fn what_breaks_this_gateways_bounds_is_left_out_and_no_offence() {
    let (mut link, node) = (listen(), Identity::generate());
    link.say_node(&node, &advert(1, offer("m", 5))).await;
    assert_eq!(link.seen().await.len(), 1);
    link.say_node(&node, &advert(2, offer("m", MAX_PRICE))).await;
    assert!(link.seen().await.is_empty(), "twice the price cap for output");
    let late = Advert { issued_at_ms: unix_ms() - 301_000, ..advert(3, offer("m", 5)) };
    link.say_node(&node, &late).await;
    assert!(link.seen().await.is_empty());
    link.say_node(&node, &advert(4, offer("m", 5))).await;
    assert_eq!(link.seen().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn frames_that_are_none_end_the_link() {
    for bytes in [&65_537_u32.to_be_bytes()[..], &[0, 0, 0, 1, 0xff]] {
        let mut link = listen();
        link.writer.write_all(bytes).await.unwrap();
        link.offence().await;
    }
    let mut link = listen();
    link.say(FromTeller::Left(PeerBody { peer: "no peer".into() })).await;
    assert!(link.offence().await.contains("peer id"));
}

#[derive(Debug)]
struct Nobody;

impl Admission for Nobody {
    fn admit(&self, _: PeerId, _: Option<&str>) -> Result<(), NotAdmitted> {
        Err(NotAdmitted { field: "peer_id", reason: "closed".into() })
    }
}

#[tokio::test(start_paused = true)]
async fn the_listeners_own_rules_of_admission_hold_and_may_change() {
    let (mut link, node) = (listen(), Identity::generate());
    link.say_node(&node, &advert(1, offer("m", 5))).await;
    assert_eq!(link.seen().await.len(), 1);
    link.admission.send_replace(std::sync::Arc::new(Nobody));
    assert!(link.seen().await.is_empty());
    link.admission.send_replace(std::sync::Arc::new(OpenToAll));
    assert_eq!(link.seen().await.len(), 1);
}

/// A teller of this roster, and the listener's end of the stream, which a test plays by hand.
fn tell(roster: &Roster) -> (DuplexStream, JoinHandle<String>) {
    let (near, far) = duplex(1 << 16);
    let announced = Announced::fixed(vec!["/ip4/192.0.2.1/tcp/1".parse().unwrap()]);
    let teller = Teller::new(far, roster.feed(), announced, ControlTimings::default());
    (near, tokio::spawn(async move { teller.run().await.to_string() }))
}

#[tokio::test(start_paused = true)]
async fn a_teller_tells_what_it_has_and_gathers_loads() {
    let (roster, node) = (Roster::default(), PeerId::random());
    let entry = roster.enter(node, SignedAdvert::default());
    let (near, end) = tell(&roster);
    let reporting = tokio::spawn(async move {
        for running in 1.. {
            entry.report(LoadBody { running, ..LoadBody::default() });
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let mut reader = FrameReader::new(near);
    let (mut frames, started) = (Vec::new(), Instant::now());
    while started.elapsed() < Duration::from_secs(2) {
        frames.push(reader.next::<FromTeller>().await.unwrap().unwrap());
    }
    assert!(frames.iter().any(|frame| matches!(frame, FromTeller::Hello(hello) if hello.multiaddrs.len() == 1)));
    assert_eq!(frames.iter().filter(|frame| matches!(frame, FromTeller::Node(_))).count(), 1);
    let loads: Vec<u32> = frames
        .iter()
        .filter_map(|frame| if let FromTeller::Loads(body) = frame { Some(body.loads[0].load.running) } else { None })
        .collect();
    assert!((7..=9).contains(&loads.len()), "two seconds have eight quarters: {loads:?}");
    assert!(loads.windows(2).all(|pair| pair[0] < pair[1]), "{loads:?}");
    reporting.abort();
    assert!(reporting.await.is_err());
    // The entry was dropped with its task.
    while reader.next::<FromTeller>().await.unwrap()
        != Some(FromTeller::Left(PeerBody { peer: node.to_bytes().into() }))
    {}
    assert!(!end.is_finished());
}

#[tokio::test(start_paused = true)]
async fn what_is_told_is_known_at_once_and_loads_within_a_quarter_of_a_second() {
    let (roster, directory, node) = (Roster::default(), Directory::new(10), Identity::generate());
    let (near, mut end) = tell(&roster);
    let (of_session, gateway) = (directory.clone(), PeerId::random());
    tokio::spawn(async move {
        let rules = Rules {
            timings: ControlTimings::default(),
            max_price: MAX_PRICE,
            admissions: watch::Sender::new(std::sync::Arc::new(OpenToAll) as _).subscribe(),
            other_gateways: watch::Sender::new(Vec::new()).subscribe(),
            roster: None,
        };
        let linked = Neighbours::new(Vec::new()).link(gateway, 1);
        Listener::new(gateway, near, &of_session, &rules, linked, &Newest::default()).run().await
    });
    let moment = || tokio::time::sleep(Duration::from_millis(1));
    let entry = roster.enter(node.peer_id(), sign_advert(&advert(1, offer("m", 5)), &node).unwrap());
    moment().await;
    assert_eq!(directory.snapshot().candidates("m").len(), 1);
    entry.report(LoadBody { running: 3, ..LoadBody::default() });
    tokio::time::sleep(Duration::from_millis(251)).await;
    assert_eq!(directory.snapshot().candidates("m")[0].stats().load().running, 3);
    drop(entry);
    moment().await;
    assert!(directory.snapshot().is_empty());
    // A link without news lives on: both sides show that they are there.
    tokio::select! {
        lost = &mut end => panic!("{lost:?}"),
        () = tokio::time::sleep(Duration::from_secs(600)) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_has_little_to_say() {
    let (near, end) = tell(&Roster::default());
    let (_reader, mut writer) = split(near);
    // The first heartbeat may come in between.
    for _ in 0..34 {
        let _ = write_frame(&mut writer, FromListener::Beat(Said {})).await;
    }
    assert!(end.await.unwrap().contains("flood"));
}

#[tokio::test(start_paused = true)]
async fn a_teller_notices_a_listener_that_is_silent() {
    let (_near, end) = tell(&Roster::default());
    let started = Instant::now();
    assert!(end.await.unwrap().contains("silent"));
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}
