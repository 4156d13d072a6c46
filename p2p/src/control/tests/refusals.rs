//! What a node's operator may have got wrong: refused with the reason, and nothing else happens.

use super::*;

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
