//! A node's life: start, serve, drain, stop.
//!
//! What can be wrong with a setting is looked at before the model is loaded, which may take minutes. The advert goes out
//! only when the engine can answer.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use peerway_p2p::{
    AddressError, Ask, Identity, IdentityError, ModelOffer, Multiaddr, NodePeer, NodePeerConfig, Offer, StartError,
    parse_multiaddr,
};
use tokio::sync::watch;

use crate::config::{EngineSettings, Price, Settings};
use crate::engine::http::HttpEngine;
use crate::engine::{Engine, Gate, GatedEngine, ModelInfo};
use crate::load;
use crate::service::{NodeService, ServiceLimits};
use crate::status::{Sources, StatusFile};

/// Why a node does not run. Its text is one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// An address of a gateway cannot be read.
    #[error("--gateway: {0}")]
    Gateway(AddressError),
    /// An address of a bootstrap cannot be read.
    #[error("--bootstrap: {0}")]
    Bootstrap(AddressError),
    /// The upstream's settings cannot be used.
    #[error("{0}")]
    Upstream(#[from] crate::engine::http::SettingsError),
    /// A directive of the script cannot be used.
    #[error("--script: {0}")]
    Script(String),
    /// The data folder or the identity in it cannot be used.
    #[error("--data-dir: {0}")]
    Identity(#[from] IdentityError),
    /// The model cannot be loaded.
    #[cfg(feature = "mistral")]
    #[error("{0}")]
    Model(#[from] crate::engine::mistral::LoadError),
    /// The status file cannot be written.
    #[error("--status-file {path}: {cause}")]
    StatusFile {
        /// The file.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// An address for the script's counters cannot be listened on.
    #[error("--script-counters: {0}")]
    Counters(std::io::Error),
    /// The peer-to-peer side does not start.
    #[error("{0}")]
    Peer(#[from] StartError),
}

impl NodeError {
    /// Whether a setting is at fault, as far as it can be seen without trying: exit code 2 instead of 1.
    #[must_use]
    pub fn is_setting(&self) -> bool {
        matches!(self, Self::Gateway(_) | Self::Bootstrap(_) | Self::Upstream(_) | Self::Script(_))
    }
}

fn addresses(texts: &[String]) -> Result<Vec<Multiaddr>, AddressError> {
    texts.iter().map(|address| parse_multiaddr(address)).collect()
}

/// Runs a node until `stop` resolves, and then drains it.
///
/// # Errors
/// `NodeError` where it cannot start.
pub async fn run(settings: Settings, stop: impl Future<Output = ()>) -> Result<(), NodeError> {
    let gateways = addresses(&settings.gateways).map_err(NodeError::Gateway)?;
    let bootstraps = addresses(&settings.bootstraps).map_err(NodeError::Bootstrap)?;
    let identity = Identity::load_or_create(&settings.data_dir.join("identity"))?;
    let peer_id = identity.peer_id();
    let status_file = settings.status_file.as_deref().map(status_file).transpose()?;
    tokio::pin!(stop);
    let (engine, engine_name) = tokio::select! {
        started = start_engine(settings.engine.clone()) => started?,
        () = &mut stop => return Ok(()),
    };
    let (slots, queue) = places(&settings, engine.concurrency());
    let engine = Arc::new(GatedEngine::new(engine, Gate::new(slots, queue)));
    let (load, _load_task) = load::report(&engine);
    let offer = watch::Sender::new(offer(&settings, slots, &engine.models(), engine_name));
    let service = NodeService::new(engine.clone(), ServiceLimits::default());
    let service = hyper::service::service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.handle(request).await) }
    });
    let config = NodePeerConfig { gateways, bootstraps, mdns: settings.mdns, ..NodePeerConfig::default() };
    let peer = NodePeer::start(identity, config, offer.subscribe(), load.clone(), service).await?;
    let draining = watch::Sender::new(false);
    let sources = Sources {
        peer_id: peer_id.to_string(),
        peers: peer.status(),
        load,
        offer: offer.subscribe(),
        draining: draining.subscribe(),
    };
    let models: Vec<String> = engine.models().into_iter().map(|model| model.id).collect();
    tracing::info!(%peer_id, models = models.join(","), slots, queue, "serving");

    let keep_status = async {
        match &status_file {
            Some(file) => file.keep(sources).await,
            None => std::future::pending().await,
        }
    };
    let serve_and_drain = async {
        stop.await;
        tracing::info!(limit_s = settings.drain_timeout.as_secs(), "draining: running answers may finish");
        draining.send_replace(true);
        peer.drain().await;
        peer.shutdown(settings.drain_timeout).await;
        tracing::info!("stopped");
    };
    tokio::pin!(serve_and_drain);
    tokio::select! {
        () = &mut serve_and_drain => {}
        () = keep_status => serve_and_drain.await,
    }
    Ok(())
}

/// Slots and places in the queue. An engine that can do less at a time than was asked for queues the rest: as many
/// requests are taken in, and gateways are told the truth about what runs.
fn places(settings: &Settings, concurrency: Option<usize>) -> (usize, usize) {
    let slots = concurrency.map_or(settings.slots, |most| settings.slots.min(most)).max(1);
    (slots, settings.queue.saturating_add(settings.slots - slots))
}

fn status_file(path: &Path) -> Result<StatusFile, NodeError> {
    let fault = |cause| NodeError::StatusFile { path: path.display().to_string(), cause };
    StatusFile::create(path.to_owned()).map_err(fault)
}

async fn start_engine(settings: EngineSettings) -> Result<(Arc<dyn Engine>, &'static str), NodeError> {
    match settings {
        #[cfg(feature = "mistral")]
        EngineSettings::Mistral(settings) => {
            tracing::info!(model = settings.id, "loading the model");
            let began = std::time::Instant::now();
            let engine = crate::engine::mistral::load(settings).await?;
            tracing::info!(load_s = began.elapsed().as_secs_f64(), "the model is loaded");
            Ok((engine, "mistral.rs 0.8.1"))
        }
        EngineSettings::Http(settings, model) => Ok((Arc::new(HttpEngine::new(settings, model)?), "http")),
        #[cfg(feature = "scripted")]
        EngineSettings::Scripted { model, script, counters } => {
            use crate::engine::scripted::{ScriptedEngine, serve_counters};

            let engine = ScriptedEngine::new(model).with_directives(&script).map_err(NodeError::Script)?;
            if let Some(address) = counters {
                serve_counters(address, engine.counters()).await.map_err(NodeError::Counters)?;
            }
            Ok((Arc::new(engine), "scripted"))
        }
    }
}

fn offer(settings: &Settings, slots: usize, models: &[ModelInfo], engine: &str) -> Offer {
    let nano_usd = |price: Price| i64::try_from(price.nano_usd()).unwrap_or(i64::MAX);
    let [input, cached_input, output] = settings.prices.map(nano_usd);
    Offer {
        operator: settings.operator.clone(),
        region: settings.region.clone().unwrap_or_default(),
        slots: u32::try_from(slots).unwrap_or(u32::MAX),
        engine: engine.to_owned(),
        models: models
            .iter()
            .map(|model| ModelOffer {
                id: model.id.clone(),
                ask: Ask { input, cached_input, output },
                context_length: model.context_length,
                quantization: model.quantization.clone(),
                weights_hash: model.weights_hash.clone().unwrap_or_default(),
                capabilities: model.capabilities.clone(),
            })
            .collect(),
    }
}
