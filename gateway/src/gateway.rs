//! What a running gateway is made of.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use peerway_billing::{FeeBps, Till};
use peerway_p2p::GatewayPeer;
use tokio_util::sync::CancellationToken;

use crate::auth::Authenticator;
use crate::catalog::Catalog;
use crate::config::ServeConfig;
use crate::idempotency::Shelf;
use crate::media::Fetcher;
use crate::work::Work;

/// The parts that requests share.
#[derive(Debug)]
pub struct Gateway {
    /// What the operator set.
    pub config: ServeConfig,
    /// The gateway's fee.
    pub fee: FeeBps,
    /// Who is calling.
    pub authenticator: Authenticator,
    /// Which models are sold.
    pub catalog: Arc<Catalog>,
    /// Credit.
    pub till: Till,
    /// The network of nodes.
    pub peers: GatewayPeer,
    /// Requests that have names of their own, and their answers.
    pub shelf: Arc<Shelf>,
    /// Fetches pictures. None: the operator does not let it.
    pub fetcher: Option<Fetcher>,
    /// What goes on without its caller.
    pub work: Work,
    /// What `/metrics` shows.
    pub metrics: PrometheusHandle,
    /// Cancelled when the gateway stops.
    pub stopping: CancellationToken,
}
