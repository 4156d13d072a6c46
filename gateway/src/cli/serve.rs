//! `peerway serve`: opens everything, serves, and closes everything in the order that loses nothing.

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use peerway_billing::{Budgets, Ledger, LedgerOptions, OwnerId, Till, TillConfig};
use peerway_p2p::{GatewayPeer, GatewayPeerConfig, Identity, Multiaddr, parse_multiaddr};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    ADMIN_SOCKET, ANSWERED_FOLDER, CAPTURES_FOLDER, CATALOG_FOLDER, CHECKPOINT_KEY_FILE, IDENTITY_FILE, PRICES_FILE,
    RESPONSES_FOLDER, TOKEN_SECRET_FILE, prepare,
};
use crate::Gateway;
use crate::access::{Authenticator, TokenSecret};
use crate::admin::AdminSocket;
use crate::admission::{AdmissionMode, ListedNodes};
use crate::alerts::{Alerts, Sender};
use crate::catalog::Catalog;
use crate::config::{LogFormat, ServeConfig};
use crate::idempotency::Shelf;
use crate::limits::RateLimits;
use crate::media::Fetcher;
use crate::prices::Prices;
use crate::responses::{Background, ResponseStore};
use crate::server::{ServerLimits, serve};
use crate::signer::Signer;
use crate::work::Work;
use crate::{stack, telemetry};

/// Held while a gateway runs.
const LOCK_FILE: &str = "gateway.lock";
/// How often holds past their expiry are marked as ended; they count as released before that.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// A TOML file; its fields are those of the flags and more, and flags win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: ServeFlags,
}

/// Flags that were given. One that was not leaves the file's value or the default.
#[derive(Debug, Args, Serialize)]
struct ServeFlags {
    /// Where HTTP is served [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<SocketAddr>,
    /// A multiaddr on which nodes are awaited; may be given more than once [default: TCP and QUIC on port 4100]
    #[arg(long, value_name = "MULTIADDR")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    p2p_listen: Vec<String>,
    /// Whether nodes on the same network find this gateway by mDNS [default: true]
    #[arg(long, value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    mdns: Option<bool>,
    /// A gateway that shares nodes with this one: a multiaddr that ends in /p2p/ and its peer id, or these alone where it
    /// dials this one; each names the other; may be given more than once
    #[arg(long, value_name = "MULTIADDR")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    peer_gateway: Vec<String>,
    /// A peer through which nodes find this gateway: a multiaddr that ends in /p2p/ and its peer id; may be given more than
    /// once
    #[arg(long, value_name = "MULTIADDR")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bootstrap: Vec<String>,
    /// A multiaddr under which others are told of this gateway; may be given more than once [default: where it listens]
    #[arg(long, value_name = "MULTIADDR")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    announce: Vec<String>,
    /// Which nodes are taken: all, those of nodes.txt, or those that are bound to an operator there [default: open]
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    admission: Option<AdmissionMode>,
    /// The gateway's fee on top of a node's price, in hundredths of a percent [default: 500]
    #[arg(long, value_name = "BPS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    fee_bps: Option<u32>,
    /// How log lines are written [default: text]
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    log_format: Option<LogFormat>,
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<PathBuf>,
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
}

pub(super) async fn run(args: ServeArgs, data_dir: Option<PathBuf>, database: Option<String>) -> anyhow::Result<()> {
    let flags = ServeFlags { data_dir, database, ..args.flags };
    let config = ServeConfig::load(args.config.as_deref(), flags)?;
    telemetry::start_log(config.log_format);
    let metrics = telemetry::start_metrics().context("metrics cannot start")?;
    prepare(&config.data_dir)?;
    let _lock = lock(&config.data_dir)?;

    // What can fail at a glance comes first, so that nothing is half open when it does.
    let listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("cannot listen on {}", config.listen))?;
    let identity = Identity::load_or_create(&config.data_dir.join(IDENTITY_FILE))?;
    let catalog = Arc::new(Catalog::open(config.data_dir.join(CATALOG_FOLDER))?);
    let ledger = Ledger::open_in(&config.ledger(), LedgerOptions::default()).await?;
    let shelf = Shelf::open(config.data_dir.join(ANSWERED_FOLDER)).context("cannot use the folder of kept answers")?;
    let shelf = Arc::new(shelf);
    let responses =
        ResponseStore::open(config.data_dir.join(RESPONSES_FOLDER)).context("cannot use the responses' folder")?;
    let responses = Arc::new(responses);
    let till = Till::open(ledger.clone(), till_config(&config, &identity)?).await?;
    let peer_id = identity.peer_id();
    let secret = TokenSecret::load_or_create(&config.data_dir.join(TOKEN_SECRET_FILE))?;
    let authenticator = Authenticator::new(ledger.clone(), config.access(), &secret, &peer_id.to_string())
        .map_err(|error| anyhow::anyhow!("configuration: identity_providers: {error}"))?;
    let signer = Arc::new(Signer::open(ledger.clone(), &config.data_dir.join(CHECKPOINT_KEY_FILE))?);
    info!(key = %signer.public(), "the ledger is signed with this key; publish it where callers find it");
    let sender = Sender::new(config.alerts_anywhere).context("alerts cannot be sent")?;
    let alerts = Arc::new(Alerts::new(ledger.clone(), sender));
    let sign_every = (config.checkpoint_transfers, Duration::from_secs(config.checkpoint_every_s));
    let listed = ListedNodes::open(&config.data_dir, config.admission)?;
    let peers = GatewayPeer::start_admitting(identity, peer_config(&config)?, listed.admissions()).await?;
    let admin = AdminSocket::bind(config.data_dir.join(ADMIN_SOCKET)).context("cannot make the admin socket")?;

    let stopping = CancellationToken::new();
    let gateway = Arc::new(Gateway {
        fee: config.fee()?,
        authenticator,
        catalog: Arc::clone(&catalog),
        payments: config.stripe.payments(&ledger)?,
        ledger: ledger.clone(),
        alerts: Arc::clone(&alerts),
        signer: Arc::clone(&signer),
        budgets: Budgets::new(ledger.clone(), till.owner().clone()),
        till,
        limits: RateLimits::default(),
        peers,
        retries: Arc::default(),
        prices: Prices::open(config.data_dir.join(PRICES_FILE)),
        learnt: Arc::default(),
        shelf: Arc::clone(&shelf),
        responses: Arc::clone(&responses),
        background: Background::default(),
        fetcher: config.fetch_pictures.then(Fetcher::new).transpose().context("pictures cannot be fetched")?,
        work: Work::new(config.max_in_flight),
        metrics: metrics.clone(),
        stopping: stopping.clone(),
        config,
    });
    let background = [
        tokio::spawn(telemetry::keep_up(metrics)),
        tokio::spawn(sweep(ledger.clone())),
        tokio::spawn(alerts.follow()),
        tokio::spawn(signer.follow(sign_every.0, sign_every.1)),
        tokio::spawn(async move { shelf.sweep().await }),
        tokio::spawn(async move { responses.sweep().await }),
        tokio::spawn(async move { catalog.follow_changes().await }),
        tokio::spawn(listed.follow()),
        tokio::spawn(Prices::follow(Arc::clone(&gateway))),
        tokio::spawn(admin.serve(Arc::clone(&gateway))),
        tokio::spawn(follow_providers(Arc::clone(&gateway))),
        tokio::spawn(stop_on_signal(stopping.clone())?),
    ];
    let payments = gateway.config.stripe.start(gateway.payments.as_ref());
    for address in gateway.peers.addresses() {
        info!(%address, "nodes can dial");
    }
    info!(listen = %listener.local_addr()?, peer = %peer_id, "gateway is up");

    let limits = ServerLimits {
        max_connections: gateway.config.max_connections,
        drain: Duration::from_secs(gateway.config.drain_timeout_s),
    };
    serve(listener, stack::http_service(&gateway), limits, stopping).await;
    gateway.work.end(limits.drain).await;

    for task in background.into_iter().chain(payments) {
        task.abort();
    }
    if let Err(cause) = gateway.prices.save() {
        warn!(%cause, "prices could not be kept");
    }
    // Peers first: a stream that is cut now still settles its bill, which the till then makes durable.
    gateway.peers.shutdown().await;
    gateway.till.close().await.context("the last captures wait for the next start")?;
    ledger.close().await;
    info!("gateway is down; every capture is in the ledger");
    Ok(())
}

/// One gateway a data folder: two would release each other's leases. The system lets go of the lock with the process.
fn lock(data_dir: &Path) -> anyhow::Result<File> {
    let path = data_dir.join(LOCK_FILE);
    let file = File::create(&path).with_context(|| format!("cannot use {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another gateway runs on the data folder {}", data_dir.display()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

fn till_config(config: &ServeConfig, identity: &Identity) -> anyhow::Result<TillConfig> {
    // Stable for a data folder, so that the leases of a crashed predecessor are found.
    let owner = OwnerId::new(format!("gateway:{}", identity.peer_id()))?;
    Ok(TillConfig { slice: config.lease_slice()?, ..TillConfig::new(owner, config.data_dir.join(CAPTURES_FOLDER)) })
}

fn peer_config(config: &ServeConfig) -> anyhow::Result<GatewayPeerConfig> {
    Ok(GatewayPeerConfig {
        listen: addresses("p2p_listen", &config.p2p_listen)?,
        mdns: config.mdns,
        peer_gateways: addresses("peer_gateway", &config.peer_gateway)?,
        bootstraps: addresses("bootstrap", &config.bootstrap)?,
        announce: addresses("announce", &config.announce)?,
        max_nodes: config.max_nodes,
        ..GatewayPeerConfig::default()
    })
}

/// Reads multiaddrs, naming the field where one is none.
pub(super) fn addresses(field: &'static str, texts: &[String]) -> anyhow::Result<Vec<Multiaddr>> {
    texts.iter().map(|address| parse_multiaddr(address).context(field)).collect()
}

async fn follow_providers(gateway: Arc<Gateway>) {
    gateway.authenticator.follow_providers().await;
}

async fn sweep(ledger: Ledger) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    loop {
        ticks.tick().await;
        match ledger.sweep().await {
            Ok(0) => {}
            Ok(holds) => info!(holds, "holds past their expiry were released"),
            Err(error) => warn!(%error, "holds could not be swept"),
        }
    }
}

/// The first signal stops gracefully, the second at once.
pub(super) fn stop_on_signal(stopping: CancellationToken) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stopping.is_cancelled() {
                warn!("second signal: stopping at once; open leases end by themselves");
                std::process::exit(130);
            }
            info!("stopping");
            stopping.cancel();
        }
    })
}
