//! What a running gateway is made of.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use peerway_billing::payments::Payments;
use peerway_billing::{Budgets, FeeBps, Ledger, Till};
use peerway_p2p::GatewayPeer;
use tokio_util::sync::CancellationToken;

use crate::access::Authenticator;
use crate::alerts::Alerts;
use crate::catalog::Catalog;
use crate::config::ServeConfig;
use crate::dispatch::RetryBudget;
use crate::idempotency::Shelf;
use crate::limits::RateLimits;
use crate::media::Fetcher;
use crate::prices::Prices;
use crate::responses::{Background, ResponseStore};
use crate::route::Learnt;
use crate::signer::Signer;
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
    /// The ledger, for questions and for changes of keys and members.
    pub ledger: Ledger,
    /// Tells accounts of their budgets.
    pub alerts: Arc<Alerts>,
    /// Signs the ledger.
    pub signer: Arc<Signer>,
    /// Credit.
    pub till: Till,
    /// Payments by card; `None` where the operator has set none up.
    pub payments: Option<Payments>,
    /// What keys and minted tokens may spend.
    pub budgets: Budgets,
    /// How fast callers may ask.
    pub limits: RateLimits,
    /// The network of nodes.
    pub peers: GatewayPeer,
    /// How much may be tried again.
    pub retries: Arc<RetryBudget>,
    /// What models have cost.
    pub prices: Prices,
    /// What earlier answers taught about where the next are best made.
    pub learnt: Arc<Learnt>,
    /// Requests that have names of their own, and their answers.
    pub shelf: Arc<Shelf>,
    /// Responses that are kept.
    pub responses: Arc<ResponseStore>,
    /// Responses that are made in the background.
    pub background: Background,
    /// Fetches pictures. None: the operator does not let it.
    pub fetcher: Option<Fetcher>,
    /// What goes on without its caller.
    pub work: Work,
    /// What `/metrics` shows.
    pub metrics: PrometheusHandle,
    /// Cancelled when the gateway stops.
    pub stopping: CancellationToken,
}
