//! A day of a market: a thousand nodes whose prices wander, which fail and recover, and callers who keep asking.
//!
//! Alone in its program, because it moves the clock that nodes' health is told on.

use std::collections::VecDeque;
use std::time::Duration;

use peerway::route::{Need, rank};
use peerway_p2p::{Ask, Candidate, ModelOffer, Offer, PeerId, Visit};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::Instant;

const NODES: usize = 1000;
const STEPS: u64 = 24 * 60;
const STEP: Duration = Duration::from_secs(60);
const REQUESTS_A_STEP: usize = 20;
const MODEL: &str = "m";

struct Trader {
    candidate: Candidate,
    is_up: bool,
}

impl Trader {
    fn new(dice: &mut StdRng) -> Self {
        let model = ModelOffer {
            id: MODEL.to_owned(),
            ask: ask(dice.random_range(100_000_000..400_000_000)),
            context_length: 8192,
            quantization: String::new(),
            weights_hash: String::new(),
            capabilities: Vec::new(),
        };
        let slots = dice.random_range(1..=4);
        let offer = Offer { slots, models: vec![model], ..Offer::default() };
        let candidate = Candidate::detached(PeerId::random(), offer, MODEL).expect("the offer has the model");
        Self { candidate, is_up: true }
    }

    fn wander(&mut self, dice: &mut StdRng) {
        if dice.random_bool(0.05) {
            let price = self.candidate.offer().ask.input;
            let change = dice.random_range(-price / 20..=price / 20);
            self.candidate = self.candidate.asking(ask((price + change).clamp(50_000_000, 800_000_000)));
        }
        // Down for a quarter of an hour on the whole, once in eight hours.
        self.is_up = if self.is_up { !dice.random_bool(0.002) } else { dice.random_bool(0.07) };
    }
}

fn ask(price: i64) -> Ask {
    Ask { input: price, cached_input: price / 2, output: price * 2 }
}

fn cost(candidate: &Candidate) -> i64 {
    candidate.offer().ask.input
}

/// What one request found and paid.
struct Deal {
    paid: i64,
    cheapest: i64,
}

struct Market {
    traders: Vec<Trader>,
    /// Answers under way, by the step in which they end.
    under_way: VecDeque<Vec<(Candidate, Visit)>>,
    dice: StdRng,
    began: Instant,
}

impl Market {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).expect("a day has fewer") + 1
    }

    /// One request: nodes are tried in their order until one is up.
    fn request(&mut self) -> Option<Deal> {
        let need = Need { seed: self.dice.random(), ..Need::of(500, 200, self.now_ms()) };
        let picks = rank(self.traders.iter().map(|trader| &trader.candidate), &need, &[]).ok()?;
        for pick in picks {
            let cheapest = self.cheapest_with_room();
            let place =
                self.traders.iter().position(|trader| trader.candidate.peer_id() == pick.candidate.peer_id())?;
            if !self.traders[place].is_up {
                pick.candidate.health().failed();
                continue;
            }
            let stats = pick.candidate.stats();
            assert!(
                stats.occupied() < pick.candidate.slots() || cheapest.is_none(),
                "a full node was given more while another had room"
            );
            let visit = pick.candidate.visit()?;
            let paid = cost(&pick.candidate);
            let ends = self.dice.random_range(0..4);
            while self.under_way.len() <= ends {
                self.under_way.push_back(Vec::new());
            }
            self.under_way[ends].push((pick.candidate, visit));
            return Some(Deal { paid, cheapest: cheapest.unwrap_or(paid) });
        }
        None
    }

    fn cheapest_with_room(&self) -> Option<i64> {
        let now_ms = self.now_ms();
        let open = self
            .traders
            .iter()
            .map(|trader| &trader.candidate)
            .filter(|candidate| candidate.is_healthy(now_ms) && candidate.stats().occupied() < candidate.slots());
        open.map(cost).min()
    }

    async fn step(&mut self) {
        tokio::time::advance(STEP).await;
        for (candidate, visit) in self.under_way.pop_front().unwrap_or_default() {
            candidate.health().served();
            drop(visit);
        }
        let Self { traders, dice, .. } = self;
        traders.iter_mut().for_each(|trader| trader.wander(dice));
    }
}

#[tokio::test(start_paused = true)]
async fn callers_pay_next_to_the_cheapest_healthy_ask_all_day_long() {
    let began = Instant::now();
    let mut dice = StdRng::seed_from_u64(20_26);
    let traders = (0..NODES).map(|_| Trader::new(&mut dice)).collect();
    let mut market = Market { traders, under_way: VecDeque::new(), dice, began };
    let (mut paid, mut cheapest, mut deals, mut unserved) = (0_i64, 0_i64, 0_u32, 0_u32);
    for _ in 0..STEPS {
        for _ in 0..REQUESTS_A_STEP {
            match market.request() {
                Some(deal) => {
                    paid += deal.paid;
                    cheapest += deal.cheapest;
                    deals += 1;
                }
                None => unserved += 1,
            }
        }
        market.step().await;
    }
    // In thousandths: at most one percent more than the cheapest there was.
    let over = (paid - cheapest) * 1000 / cheapest;
    assert!((0..=10).contains(&over), "callers paid {over} per mille over the cheapest");
    assert!(deals > 25_000 && unserved < deals / 1000, "{deals} served and {unserved} not");
}
