//! What each model has cost over time.
//!
//! Once a minute the market of every model is looked at. A day is kept by the minute and thirty days by the hour, so that
//! a model takes 90 kB and a chart of a month has as many points as a screen shows; to keep every minute of thirty days
//! would take twenty times as much and show nothing more. A file keeps it over restarts. It is no matter of money: what
//! was noted since the file was last written is lost with a crash.

mod file;
mod history;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use peerway_billing::Price;
use peerway_p2p::Candidate;
use time::OffsetDateTime;
use tokio::time::MissedTickBehavior;
use tracing::warn;

pub use history::{History, Quote, Sample};

use crate::Gateway;
use crate::route::{asking_price, expected_cost};

/// How often markets are looked at.
const EVERY: Duration = Duration::from_secs(60);
/// Looks between two writings of the file.
const LOOKS_A_FILE: u32 = 10;
/// A request by which nodes are compared: as many tokens of prompt as of answer.
const TYPICAL: u64 = 1000;

/// See the module.
#[derive(Debug)]
pub struct Prices {
    path: PathBuf,
    models: Mutex<HashMap<String, History>>,
}

impl Prices {
    /// Reads what a file has, which need not be there. A file that is none of ours is left out and written anew.
    #[must_use]
    pub fn open(path: PathBuf) -> Self {
        let models = file::read(&path).unwrap_or_else(|cause| {
            warn!(path = %path.display(), %cause, "prices of the past cannot be read; they begin anew");
            HashMap::new()
        });
        Self { path, models: Mutex::new(models) }
    }

    /// What is kept of a model from one time to another, in seconds since 1970: of each step the first sample.
    #[must_use]
    pub fn of(&self, model: &str, from: i64, to: i64, step: i64) -> Vec<Sample> {
        self.models.lock().get(model).map(|history| history.between(from, to, step)).unwrap_or_default()
    }

    /// Notes what a model costs at this minute.
    pub fn note(&self, model: &str, sample: Sample) {
        self.models.lock().entry(model.to_owned()).or_default().push(sample);
    }

    /// Writes the file. Waits for the disk.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn save(&self) -> io::Result<()> {
        // Copied out: who asks for prices does not wait for the disk.
        let models = self.models.lock().clone();
        file::write(&self.path, &models)
    }

    /// Looks at every market of the gateway once a minute, for ever.
    pub async fn follow(gateway: Arc<Gateway>) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for look in 1_u32.. {
            ticks.tick().await;
            gateway.prices.look(&gateway);
            if look.is_multiple_of(LOOKS_A_FILE) {
                let gateway = Arc::clone(&gateway);
                let saved = tokio::task::spawn_blocking(move || gateway.prices.save()).await;
                if let Ok(Err(cause)) = saved {
                    warn!(%cause, "prices could not be kept");
                }
            }
        }
    }

    fn look(&self, gateway: &Gateway) {
        let directory = gateway.peers.directory();
        let (snapshot, now_ms) = (directory.snapshot(), directory.now_ms());
        let minute = u32::try_from(OffsetDateTime::now_utc().unix_timestamp() / 60).unwrap_or(0);
        let sold = gateway.catalog.list();
        // What is no longer sold is no longer asked for.
        self.models.lock().retain(|id, _| sold.iter().any(|model| model.card.id == *id));
        for model in sold {
            let sample = sample(minute, model.price_cap, snapshot.candidates(&model.card.id), now_ms);
            self.note(&model.card.id, sample);
        }
    }
}

/// A model's market at this moment: its healthy nodes within the catalog's cap.
fn sample<'a>(
    minute: u32,
    price_cap: Option<Price>,
    candidates: impl IntoIterator<Item = &'a Candidate>,
    now_ms: u64,
) -> Sample {
    let healthy = candidates.into_iter().filter(|candidate| candidate.is_healthy(now_ms)).map(asking_price);
    let mut prices: Vec<_> = healthy.filter(|price| price_cap.is_none_or(|cap| price.within(&cap))).collect();
    prices.sort_by_cached_key(|price| expected_cost(price, TYPICAL, 0, TYPICAL));
    let quote = |place: usize| {
        prices.get(place).map(|price| Quote { input: price.input.as_i64(), output: price.output.as_i64() })
    };
    let nodes = u32::try_from(prices.len()).unwrap_or(u32::MAX);
    Sample {
        minute,
        nodes,
        cheapest: quote(0).unwrap_or_default(),
        median: quote(prices.len() / 2).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use peerway_billing::PerMillion;
    use peerway_p2p::{Ask, ModelOffer, Offer, PeerId};

    use super::*;

    fn selling(input: i64, output: i64) -> Candidate {
        let model = ModelOffer {
            id: "m".to_owned(),
            ask: Ask { input, cached_input: input, output },
            context_length: 8192,
            quantization: String::new(),
            weights_hash: String::new(),
            capabilities: Vec::new(),
        };
        let offer = Offer { slots: 1, models: vec![model], ..Offer::default() };
        Candidate::detached(PeerId::random(), offer, "m").unwrap()
    }

    #[test]
    fn a_market_is_its_healthy_nodes_within_the_cap_by_what_prompt_and_answer_cost_together() {
        // In the order of what they cost: 9 and 1, 2 and 10, 8 and 6, 1 and 20.
        let nodes = [selling(1, 20), selling(8, 6), selling(9, 1), selling(2, 10), selling(0, 1)];
        nodes[4].health().failed();
        let quote = |input, output| Quote { input, output };
        let seen = sample(7, None, &nodes, 1);
        assert_eq!((seen.minute, seen.nodes, seen.cheapest, seen.median), (7, 4, quote(9, 1), quote(8, 6)));
        let bound = |nano_usd| PerMillion::new(nano_usd).unwrap();
        let cap = Price { input: bound(8), cached_input: bound(8), output: bound(10) };
        let capped = sample(7, Some(cap), &nodes, 1);
        assert_eq!((capped.nodes, capped.cheapest, capped.median), (2, quote(2, 10), quote(8, 6)));
        let nobody = Sample { minute: 7, nodes: 0, cheapest: Quote::default(), median: Quote::default() };
        assert_eq!(sample(7, None, &nodes[4..], 1), nobody);
    }

    #[test]
    fn prices_are_there_after_a_restart_and_a_broken_file_is_no_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.json");
        let sample = |minute| Sample {
            minute,
            nodes: 3,
            cheapest: Quote { input: 5, output: i64::MAX },
            median: Quote { input: 6, output: 0 },
        };
        let prices = Prices::open(path.clone());
        (1..5).for_each(|minute| prices.note("vendor/m", sample(minute)));
        prices.save().unwrap();
        let again = Prices::open(path.clone());
        assert_eq!(again.of("vendor/m", 0, 600, 60), (1..5).map(sample).collect::<Vec<_>>());
        assert_eq!(again.of("other", 0, 600, 60), []);
        std::fs::write(&path, "{\"version\":1,\"models\":{\"m\":[[1").unwrap();
        assert_eq!(Prices::open(path.clone()).of("m", 0, 600, 60), []);
        again.save().unwrap();
        assert_eq!(Prices::open(path).of("vendor/m", 0, 600, 60).len(), 4);
    }
}
