//! `peerway bootstrap`: a peer that only serves the DHT, for networks whose gateways come and go.

use std::path::PathBuf;

use clap::Args;
use peerway_p2p::{BootstrapPeer, BootstrapPeerConfig, Identity};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::serve::{addresses, stop_on_signal};
use super::{BOOTSTRAP_IDENTITY_FILE, prepare};
use crate::config::{LogFormat, default_data_dir};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct BootstrapArgs {
    /// A multiaddr to listen on; may be given more than once
    #[arg(long, value_name = "MULTIADDR", default_values = ["/ip4/0.0.0.0/tcp/4200", "/ip4/0.0.0.0/udp/4200/quic-v1"])]
    p2p_listen: Vec<String>,
    /// Another bootstrap: a multiaddr that ends in /p2p/ and its peer id; may be given more than once
    #[arg(long, value_name = "MULTIADDR")]
    bootstrap: Vec<String>,
    /// How log lines are written
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
}

pub(super) async fn run(args: BootstrapArgs, data_dir: Option<PathBuf>) -> anyhow::Result<()> {
    telemetry::start_log(args.log_format);
    let data_dir = data_dir.unwrap_or_else(default_data_dir);
    prepare(&data_dir)?;
    let identity = Identity::load_or_create(&data_dir.join(BOOTSTRAP_IDENTITY_FILE))?;
    let config = BootstrapPeerConfig {
        listen: addresses("--p2p-listen", &args.p2p_listen)?,
        bootstraps: addresses("--bootstrap", &args.bootstrap)?,
        ..BootstrapPeerConfig::default()
    };
    let peer = BootstrapPeer::start(identity, config).await?;
    for address in peer.addresses() {
        info!(%address, "gateways and nodes can dial: --bootstrap");
    }
    let stopping = CancellationToken::new();
    tokio::select! {
        () = stop_on_signal(stopping.clone())? => {}
        () = stopping.cancelled() => {}
    }
    peer.shutdown().await;
    info!("bootstrap is down");
    Ok(())
}
