//! When a node is routable, and when no longer.

use super::*;

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
