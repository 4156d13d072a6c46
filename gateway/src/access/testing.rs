//! A provider on this machine, keys that are for tests only, and a ledger in a folder of its own.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, Uri, header::LOCATION};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use parking_lot::Mutex;
use peerway_billing::{
    AccountId, Actor, Clock, KeyPolicy, KeyTerms, Ledger, LedgerOptions, Limits, ManualClock, NewKey, Role, SubjectId,
    Timestamp,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::principal::Principal;
use super::provider_config::IdentityProviderConfig;

const RSA: &[u8] = include_bytes!("testdata/rsa-for-tests-only.der");
const OTHER_RSA: &[u8] = include_bytes!("testdata/other-rsa-for-tests-only.der");
const P256: &[u8] = include_bytes!("testdata/p256-for-tests-only.der");
const ED25519: &[u8] = include_bytes!("testdata/ed25519-for-tests-only.der");

/// Signs whatever it is given, under whatever header.
pub(crate) struct Signer(EncodingKey, Algorithm);

impl Signer {
    pub(crate) fn rsa() -> Self {
        Self(EncodingKey::from_rsa_der(RSA), Algorithm::RS256)
    }

    pub(crate) fn other_rsa() -> Self {
        Self(EncodingKey::from_rsa_der(OTHER_RSA), Algorithm::RS256)
    }

    pub(crate) fn p256() -> Self {
        Self(EncodingKey::from_ec_der(P256), Algorithm::ES256)
    }

    pub(crate) fn ed25519() -> Self {
        Self(EncodingKey::from_ed_der(ED25519), Algorithm::EdDSA)
    }

    pub(crate) fn shared(secret: &[u8]) -> Self {
        Self(EncodingKey::from_secret(secret), Algorithm::HS256)
    }

    /// The header's own `alg` decides which algorithm of the key's family signs, where it is one of them.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let said = format!("{}.{}", part(header), part(claims));
        let named: Option<Algorithm> = header["alg"].as_str().and_then(|name| name.parse().ok());
        let algorithm = named.filter(|named| named.family() == self.1.family()).unwrap_or(self.1);
        format!("{said}.{}", jsonwebtoken::crypto::sign(said.as_bytes(), &self.0, algorithm).unwrap())
    }
}

fn jwk(signer: &Signer, kid: &str) -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&signer.0, signer.1).unwrap()).unwrap();
    jwk.as_object_mut().unwrap().remove("alg");
    jwk["kid"] = json!(kid);
    jwk
}

pub(crate) fn rsa_jwk(kid: &str) -> Value {
    jwk(&Signer::rsa(), kid)
}

pub(crate) fn p256_jwk(kid: &str) -> Value {
    jwk(&Signer::p256(), kid)
}

pub(crate) fn ed25519_jwk(kid: &str) -> Value {
    jwk(&Signer::ed25519(), kid)
}

/// An identity provider's HTTP server.
pub(crate) struct TestProvider {
    port: u16,
    state: Arc<Mutex<Served>>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Served {
    documents: HashMap<String, String>,
    redirects: HashMap<String, String>,
    is_failing: bool,
    asked: Vec<String>,
}

impl TestProvider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(Served::default()));
        let shared = Arc::clone(&state);
        let routes = Router::new().fallback(move |uri: Uri| {
            let answer = answer(&mut shared.lock(), uri.path());
            async move { answer }
        });
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let provider = Self { port, state, server };
        provider.serve(
            "/.well-known/openid-configuration",
            &json!({"issuer": provider.issuer(), "jwks_uri": provider.keys_url()}),
        );
        provider
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn keys_url(&self) -> String {
        format!("{}/keys", self.issuer())
    }

    pub(crate) fn config(&self) -> IdentityProviderConfig {
        provider_config(&self.issuer())
    }

    pub(crate) fn serve(&self, path: &str, document: &Value) {
        let mut state = self.state.lock();
        state.is_failing = false;
        state.documents.insert(path.to_owned(), document.to_string());
    }

    pub(crate) fn serve_keys(&self, keys: &[Value]) {
        self.serve("/keys", &json!({"keys": keys}));
    }

    pub(crate) fn redirect(&self, path: &str, to: &str) {
        self.state.lock().redirects.insert(path.to_owned(), to.to_owned());
    }

    /// Answers 500 until something is served again.
    pub(crate) fn fail(&self) {
        self.state.lock().is_failing = true;
    }

    /// How often it was asked for anything.
    pub(crate) fn asked(&self) -> usize {
        self.state.lock().asked.len()
    }

    /// How often it was asked for anything but discovery and keys.
    pub(crate) fn asked_elsewhere(&self) -> usize {
        let usual = ["/.well-known/openid-configuration", "/keys"];
        self.state.lock().asked.iter().filter(|path| !usual.contains(&path.as_str())).count()
    }

    /// Connections are refused from here on.
    pub(crate) async fn stop(&self) {
        self.fail();
        self.server.abort();
        while !self.server.is_finished() {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for TestProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn answer(state: &mut Served, path: &str) -> Response {
    state.asked.push(path.to_owned());
    if state.is_failing {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if let Some(to) = state.redirects.get(path) {
        return (StatusCode::FOUND, [(LOCATION, to.clone())]).into_response();
    }
    match state.documents.get(path) {
        Some(document) => document.clone().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

pub(crate) fn provider_config(issuer: &str) -> IdentityProviderConfig {
    serde_json::from_value(json!({"issuer": issuer, "audience": "peerway"})).unwrap()
}

/// Somebody who may do everything.
pub(crate) fn principal() -> Principal {
    Principal {
        account: AccountId::new("acct_test").unwrap(),
        key: None,
        root: None,
        actor: Actor::operator(),
        token: None,
        scopes: vec![peerway_billing::Scope::Admin],
        models: None,
        limits: Limits::default(),
        budgets: Vec::new(),
        expires_at: None,
    }
}

/// A ledger whose clock a test moves.
pub(crate) struct TestLedger {
    pub(crate) ledger: Ledger,
    pub(crate) hand: ManualClock,
    _folder: tempfile::TempDir,
}

impl TestLedger {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(Timestamp::from_millis(1_800_000_000_000));
        let options = LedgerOptions { clock, ..LedgerOptions::default() };
        let ledger = Ledger::open_with(folder.path().join("ledger.sqlite"), options).await.unwrap();
        Self { ledger, hand, _folder: folder }
    }

    pub(crate) async fn account(&self) -> AccountId {
        self.ledger.create_account("test", &Actor::operator()).await.unwrap().id
    }

    pub(crate) async fn key(&self, account: &AccountId, policy: KeyPolicy) -> NewKey {
        let terms = KeyTerms { account: account.clone(), name: "test".to_owned(), policy };
        self.ledger.create_key(terms, &Actor::operator()).await.unwrap()
    }

    pub(crate) async fn member(&self, account: &AccountId, subject: &str, role: Role) {
        let subject = SubjectId::new(subject).unwrap();
        self.ledger.put_member(account, &subject, role, "", &Actor::operator()).await.unwrap();
    }
}
