//! A gateway without nodes, in a folder of its own, asked without a network.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use peerway::Gateway;
use peerway::access::{Authenticator, PeerAddr, TokenSecret};
use peerway::alerts::{Alerts, Sender};
use peerway::catalog::Catalog;
use peerway::config::ServeConfig;
use peerway::idempotency::Shelf;
use peerway::limits::RateLimits;
use peerway::prices::Prices;
use peerway::responses::{Background, ResponseStore};
use peerway::signer::Signer;
use peerway::stack::{HttpService, http_service};
use peerway::work::Work;
use peerway_billing::{AccountId, Actor, Budgets, KeyPolicy, KeyTerms, Ledger, OwnerId, Scope, Till, TillConfig};
use peerway_p2p::{GatewayPeer, GatewayPeerConfig, Identity, parse_multiaddr};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub(crate) struct Setting {
    pub(crate) ledger: Ledger,
    pub(crate) account: AccountId,
    pub(crate) alerts: Arc<Alerts>,
    service: HttpService,
    _folder: tempfile::TempDir,
}

/// An answer, read.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The status, and the error's code and field.
    pub(crate) fn refusal(&self) -> (u16, String, String) {
        let body = self.json();
        let text = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
        (self.status.as_u16(), text("code"), text("param"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Setting {
    pub(crate) async fn new() -> Self {
        Self::with(ServeConfig::default()).await
    }

    pub(crate) async fn with(config: ServeConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let ledger = Ledger::open(path("ledger.sqlite")).await.unwrap();
        let identity = Identity::load_or_create(&path("identity.key")).unwrap();
        let secret = TokenSecret::load_or_create(&path("token.key")).unwrap();
        let peer_id = identity.peer_id().to_string();
        let listen = vec![parse_multiaddr("/ip4/127.0.0.1/tcp/0").unwrap()];
        let peer = GatewayPeerConfig { listen, mdns: false, ..GatewayPeerConfig::default() };
        let till = TillConfig::new(OwnerId::new("test").unwrap(), path("captures"));
        let till = Till::open(ledger.clone(), till).await.unwrap();
        let gateway = Gateway {
            payments: None,
            fee: config.fee().unwrap(),
            authenticator: Authenticator::new(ledger.clone(), config.access(), &secret, &peer_id).unwrap(),
            catalog: Arc::new(Catalog::open(path("catalog")).unwrap()),
            ledger: ledger.clone(),
            alerts: Arc::new(Alerts::new(ledger.clone(), Sender::new(config.alerts_anywhere).unwrap())),
            signer: Arc::new(Signer::open(ledger.clone(), &path("checkpoint.key")).unwrap()),
            budgets: Budgets::new(ledger.clone(), till.owner().clone()),
            till,
            limits: RateLimits::default(),
            peers: GatewayPeer::start(identity, peer).await.unwrap(),
            retries: Arc::default(),
            prices: Prices::open(path("prices.jsonl")),
            learnt: Arc::default(),
            shelf: Arc::new(Shelf::open(path("answered")).unwrap()),
            responses: Arc::new(ResponseStore::open(path("responses")).unwrap()),
            background: Background::default(),
            fetcher: None,
            work: Work::new(100),
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            stopping: CancellationToken::new(),
            config,
        };
        let account = ledger.create_account("test", &Actor::operator()).await.unwrap().id;
        let alerts = Arc::clone(&gateway.alerts);
        Self { service: http_service(&Arc::new(gateway)), ledger, account, alerts, _folder: folder }
    }

    /// The secret of a new key of the account.
    pub(crate) async fn key(&self, policy: KeyPolicy) -> String {
        self.key_of(&self.account, policy).await
    }

    pub(crate) async fn key_of(&self, account: &AccountId, policy: KeyPolicy) -> String {
        let terms = KeyTerms { account: account.clone(), name: "test".to_owned(), policy };
        self.ledger.create_key(terms, &Actor::operator()).await.unwrap().secret.expose().to_owned()
    }

    /// The secret of a new key with these scopes.
    pub(crate) async fn scoped(&self, scopes: &[Scope]) -> String {
        self.key(KeyPolicy { scopes: scopes.to_vec(), ..KeyPolicy::default() }).await
    }

    pub(crate) async fn ask(&self, secret: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.ask_with(&[("authorization", &format!("Bearer {secret}"))], method, path, body).await
    }

    pub(crate) async fn get(&self, secret: &str, path: &str) -> Answer {
        self.ask(secret, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, secret: &str, path: &str, body: Value) -> Answer {
        self.ask(secret, Method::POST, path, Some(body)).await
    }

    pub(crate) async fn ask_with(
        &self,
        headers: &[(&'static str, &str)],
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut request = Request::builder().method(method).uri(path).body(body).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request.extensions_mut().insert(PeerAddr(SocketAddr::from(([127, 0, 0, 1], 4711))));
        let (parts, body) = self.service.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }
}
