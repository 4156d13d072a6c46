//! Asking a second node where the first takes unusually long.
//!
//! A caller who waits for the slowest of a market's nodes can be spared it for the price of some work done twice: Dean and
//! Barroso's hedged requests ("The Tail at Scale", 2013). Only who asks for it gets it, because the work of the node that
//! comes too late is paid by nobody, and the next node may be dearer. It takes of the retry budget, so that hedges end
//! first where the whole market is slow.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use peerway_openapi::ApiError;
use peerway_p2p::Candidate;
use tokio::time::Instant;

use super::Attempts;
use super::attempts::Failed;
use crate::route::Pick;

/// Nodes that work on one request at once.
const AT_ONCE: usize = 2;
/// So many times its usual time is unusually long for a node.
const TIMES: u32 = 2;
/// Sooner than this nobody is late.
const SOONEST: Duration = Duration::from_millis(50);
/// When a node is late of which nothing is known.
const UNKNOWN: Duration = Duration::from_secs(1);

/// After how long without a first piece another node is asked as well. `usual`: the node's time to a first piece as
/// measured. `most`: what any node may take.
pub(super) fn late_after(usual: Option<Duration>, most: Duration) -> Duration {
    usual.map_or(UNKNOWN, |usual| usual.saturating_mul(TIMES)).max(SOONEST).min(most / 2)
}

/// The same, of this node.
pub(super) fn is_late_after(candidate: &Candidate, most: Duration) -> Duration {
    late_after(candidate.health().usual_first_token().map(|(usual, _)| usual), most)
}

/// An attempt that led to an answer.
#[derive(Debug)]
pub(super) struct Won<T> {
    pub(super) pick: Pick,
    /// From when it was asked to its first piece.
    pub(super) took: Duration,
    pub(super) answer: T,
}

/// Tries nodes in their order until one begins. Where `late` tells when a node is late, the next one is then asked as
/// well; the first that begins wins. Who comes too late is dropped, which stops it, and is not blamed; but that it had not
/// begun by then is remembered, or it would be first again each time.
///
/// # Errors
/// As [`super::dispatch`].
pub(super) async fn first<T, F>(
    attempts: &mut Attempts,
    late: impl Fn(&Candidate) -> Option<Duration>,
    begin: impl Fn(Pick) -> F,
) -> Result<Won<T>, ApiError>
where
    F: Future<Output = Result<T, Failed>>,
{
    let attempt = |pick: Pick, is_hedge: bool| {
        let (asked, begun) = (Instant::now(), begin(pick.clone()));
        async move { (begun.await, pick, asked, is_hedge) }
    };
    let (mut running, mut hedges, mut late_at) = (FuturesUnordered::new(), 0_u64, None);
    // Who works on it, since when.
    let mut waited_for: Vec<(Candidate, Instant)> = Vec::with_capacity(AT_ONCE);
    loop {
        if running.is_empty() {
            let Some(pick) = attempts.next() else { return Err(attempts.error()) };
            late_at = late(&pick.candidate).map(|wait| Instant::now() + wait);
            waited_for.push((pick.candidate.clone(), Instant::now()));
            running.push(attempt(pick, false));
        }
        let hedge_at = late_at.filter(|_| running.len() < AT_ONCE);
        tokio::select! {
            biased;
            Some((begun, pick, asked, is_hedge)) = running.next() => {
                waited_for.retain(|(candidate, _)| candidate.peer_id() != pick.candidate.peer_id());
                match begun {
                Ok(answer) => {
                    waited_for.iter().for_each(|(late, since)| late.health().had_not_begun(since.elapsed()));
                    ended("won", u64::from(is_hedge));
                    ended("lost", hedges - u64::from(is_hedge));
                    return Ok(Won { pick, took: asked.elapsed(), answer });
                }
                Err(failed) => {
                    ended("lost", u64::from(is_hedge));
                    hedges -= u64::from(is_hedge);
                    attempts.failed(&pick, failed);
                }
            }},
            () = until(hedge_at), if hedge_at.is_some() => {
                late_at = None;
                if let Some(pick) = attempts.next_hedge() {
                    late_at = late(&pick.candidate).map(|wait| Instant::now() + wait);
                    hedges += 1;
                    waited_for.push((pick.candidate.clone(), Instant::now()));
                    running.push(attempt(pick, true));
                }
            }
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn ended(result: &'static str, hedges: u64) {
    if hedges > 0 {
        metrics::counter!("peerway_hedges_total", "result" => result).increment(hedges);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Arc;

    use peerway_openapi::ErrorKind;
    use peerway_p2p::{Ask, Directory, ModelOffer, Offer, PeerId};

    use super::*;
    use crate::dispatch::RetryBudget;

    const LATE: Duration = Duration::from_secs(1);

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn picks(count: usize) -> Vec<Pick> {
        let ask = Ask { input: 1, cached_input: 1, output: 1 };
        let model = ModelOffer {
            id: "m".to_owned(),
            ask,
            context_length: 8192,
            quantization: String::new(),
            weights_hash: String::new(),
            capabilities: Vec::new(),
        };
        let offer = Offer { slots: 1, models: vec![model], ..Offer::default() };
        let candidate = || Candidate::detached(PeerId::random(), offer.clone(), "m").unwrap();
        let pick = |candidate: Candidate| Pick { price: crate::route::asking_price(&candidate), candidate };
        (0..count).map(|_| pick(candidate())).collect()
    }

    /// What the nodes do, in their order: how long each takes, and whether it then begins.
    struct Market {
        picks: Vec<Pick>,
        nodes: Vec<(Duration, bool)>,
        /// Who was asked, and when.
        asked: RefCell<Vec<(usize, Duration)>>,
        retries: Arc<RetryBudget>,
    }

    impl Market {
        fn of(nodes: &[(u64, bool)]) -> Self {
            let nodes: Vec<_> = nodes.iter().map(|&(seconds, begins)| (secs(seconds), begins)).collect();
            Self { picks: picks(nodes.len()), nodes, asked: RefCell::default(), retries: Arc::default() }
        }

        /// The node that won and when, or why none did.
        async fn run(&self, late: Option<Duration>) -> Result<(usize, Duration), ErrorKind> {
            let began = Instant::now();
            let place = |pick: &Pick| {
                self.picks.iter().position(|known| known.candidate.peer_id() == pick.candidate.peer_id()).unwrap()
            };
            let mut attempts = Attempts::new(self.picks.clone(), Arc::clone(&self.retries));
            let begin = |pick: Pick| {
                self.asked.borrow_mut().push((place(&pick), began.elapsed()));
                let (wait, begins) = self.nodes[place(&pick)];
                async move {
                    tokio::time::sleep(wait).await;
                    if begins { Ok(()) } else { Err(Failed::node("it is to fail")) }
                }
            };
            let won = first(&mut attempts, |_| late, begin).await.map_err(|error| error.kind())?;
            assert_eq!(won.took, self.nodes[place(&won.pick)].0);
            Ok((place(&won.pick), began.elapsed()))
        }

        /// Milliseconds to a first piece, as far as they were learnt here: of those that did not win.
        fn known(&self) -> Vec<Option<u32>> {
            let now_ms = Directory::new(1).now_ms();
            let known = |pick: &Pick| pick.candidate.health().first_token_ms(now_ms).map(|(ms, _)| ms);
            self.picks.iter().map(known).collect()
        }

        fn failures(&self) -> Vec<u32> {
            self.picks.iter().map(|pick| pick.candidate.health().failures()).collect()
        }
    }

    #[test]
    fn a_node_is_late_after_twice_its_usual_time() {
        let ms = Duration::from_millis;
        assert_eq!(late_after(Some(ms(300)), secs(120)), ms(600));
        assert_eq!(late_after(Some(ms(3)), secs(120)), SOONEST);
        assert_eq!(late_after(Some(secs(100)), secs(120)), secs(60), "time must be left for the other");
        assert_eq!(late_after(None, secs(120)), UNKNOWN);
        assert_eq!(late_after(None, ms(60)), ms(30), "an operator may be less patient");
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_is_asked_as_well_and_the_first_to_begin_wins() {
        let market = Market::of(&[(10, true), (2, true), (1, true)]);
        assert_eq!(market.run(Some(LATE)).await, Ok((1, secs(3))));
        assert_eq!(*market.asked.borrow(), [(0, secs(0)), (1, secs(1))], "two at once, and no more");
        assert_eq!(market.failures(), [0, 0, 0], "to be slower is no fault");
        assert!(market.picks.iter().all(|pick| pick.candidate.health().incidents() == 0));
        assert_eq!(market.known(), [Some(3000), None, None], "the first had 3 s and had not begun");
        let market = Market::of(&[(2, true), (5, true)]);
        assert_eq!(market.run(Some(LATE)).await, Ok((0, secs(2))), "the first may still win");
        assert_eq!(market.known(), [None, Some(1000)], "the other was asked a second ago");
    }

    #[tokio::test(start_paused = true)]
    async fn who_did_not_ask_for_it_waits() {
        let market = Market::of(&[(10, true), (2, true)]);
        assert_eq!(market.run(None).await, Ok((0, secs(10))));
        assert_eq!(*market.asked.borrow(), [(0, secs(0))]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_leaves_the_other_its_chance() {
        let market = Market::of(&[(4, false), (9, true), (1, true)]);
        // The first fails after 4 s; the second is late since 2 s, so the third is asked at once.
        assert_eq!(market.run(Some(LATE)).await, Ok((2, secs(5))));
        assert_eq!(market.failures(), [1, 0, 0]);
        assert_eq!(market.known(), [None, Some(4000), None], "who failed was not late");
        let market = Market::of(&[(3, true), (1, false)]);
        assert_eq!(market.run(Some(LATE)).await, Ok((0, secs(3))));
        assert_eq!(market.failures(), [0, 1]);
        let market = Market::of(&[(3, false), (1, false)]);
        assert_eq!(market.run(Some(LATE)).await, Err(ErrorKind::NodeFailed));
    }

    #[tokio::test(start_paused = true)]
    async fn no_hedge_without_retry_budget() {
        let market = Market::of(&[(3, true), (1, true)]);
        while market.retries.withdraw() {}
        assert_eq!(market.run(Some(SOONEST)).await, Ok((0, secs(3))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hedge_takes_of_the_retry_budget() {
        for (late, left) in [(None, 50), (Some(SOONEST), 49)] {
            let market = Market::of(&[(u64::from(late.is_some()), true), (0, true)]);
            assert!(market.run(late).await.is_ok());
            assert_eq!((0..1000).take_while(|_| market.retries.withdraw()).count(), left, "{late:?}");
        }
    }
}
