//! The status file: what a person or a script can see of a running node without asking it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use peerway_p2p::{Load, NodeStatus, Offer};
use serde::Serialize;
use tokio::sync::watch;

use crate::config::Price;

/// Time between two versions of the file.
const MIN_GAP: Duration = Duration::from_millis(200);

/// What the file says.
#[derive(Debug, Serialize)]
struct Status {
    pid: u32,
    peer_id: String,
    /// `serving` or `draining`.
    state: &'static str,
    gateways: Vec<Gateway>,
    last_refusal: Option<String>,
    last_failure: Option<String>,
    models: Vec<Model>,
    load: LoadStatus,
}

#[derive(Debug, Serialize)]
struct Gateway {
    peer_id: String,
    accepted: bool,
}

/// Prices in USD per million tokens.
#[derive(Debug, Serialize)]
struct Model {
    id: String,
    context_length: u32,
    quantization: String,
    price_input: String,
    price_cached: String,
    price_output: String,
}

#[derive(Debug, Serialize)]
struct LoadStatus {
    running: u32,
    waiting: u32,
    free_slots: u32,
    ttft_ms: u32,
    tokens_per_second_milli: u64,
}

/// What the file is made of.
pub(crate) struct Sources {
    pub(crate) peer_id: String,
    pub(crate) peers: watch::Receiver<NodeStatus>,
    pub(crate) load: watch::Receiver<Load>,
    pub(crate) offer: watch::Receiver<Offer>,
    pub(crate) draining: watch::Receiver<bool>,
}

/// Removes the file when the node has stopped.
pub(crate) struct StatusFile(PathBuf);

impl StatusFile {
    /// Writes the file of a node that is starting: a path that cannot be written is then known before the model is loaded.
    pub(crate) fn create(path: PathBuf) -> std::io::Result<Self> {
        write(&path, &serde_json::json!({ "pid": std::process::id(), "state": "starting" }))?;
        Ok(Self(path))
    }

    /// Writes it, and anew whenever something changes, until cancelled.
    pub(crate) async fn keep(&self, mut sources: Sources) {
        loop {
            if let Err(error) = write(&self.0, &status(&sources)) {
                tracing::warn!(path = %self.0.display(), %error, "the status file could not be written");
            }
            tokio::time::sleep(MIN_GAP).await;
            let changed = tokio::select! {
                changed = sources.peers.changed() => changed,
                changed = sources.load.changed() => changed,
                changed = sources.offer.changed() => changed,
                changed = sources.draining.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
        }
    }
}

impl Drop for StatusFile {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}

/// Whoever reads the file sees one version or the next, never half of one.
fn write(path: &Path, status: &impl Serialize) -> std::io::Result<()> {
    let text = serde_json::to_vec_pretty(status)?;
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.new", std::process::id()));
    let draft = PathBuf::from(draft);
    std::fs::write(&draft, text)?;
    std::fs::rename(&draft, path)
}

fn status(sources: &Sources) -> Status {
    let (peers, load) = (sources.peers.borrow().clone(), *sources.load.borrow());
    let usd = |nano_usd: i64| Price::of_nano_usd(u64::try_from(nano_usd).unwrap_or_default()).to_string();
    let gateways = peers.gateways.iter();
    let models = sources.offer.borrow().models.clone();
    Status {
        pid: std::process::id(),
        peer_id: sources.peer_id.clone(),
        state: if *sources.draining.borrow() { "draining" } else { "serving" },
        gateways: gateways.map(|one| Gateway { peer_id: one.peer_id.to_string(), accepted: one.accepted }).collect(),
        last_refusal: peers.last_refusal.map(|refusal| match refusal.field {
            Some(field) => format!("{}: {field}: {}", refusal.gateway, refusal.reason),
            None => format!("{}: {}", refusal.gateway, refusal.reason),
        }),
        last_failure: peers.last_failure,
        models: models
            .into_iter()
            .map(|model| Model {
                id: model.id,
                context_length: model.context_length,
                quantization: model.quantization,
                price_input: usd(model.ask.input),
                price_cached: usd(model.ask.cached_input),
                price_output: usd(model.ask.output),
            })
            .collect(),
        load: LoadStatus {
            running: load.running,
            waiting: load.waiting,
            free_slots: load.free_slots,
            ttft_ms: load.ttft_ms,
            tokens_per_second_milli: load.tokens_per_second_milli,
        },
    }
}
