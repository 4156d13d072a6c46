//! The node's side, with a gateway that a test plays by hand.

use super::*;

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
