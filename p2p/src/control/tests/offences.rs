//! What no honest node does.

use super::*;

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
