//! What the running gateway tells its own operator, over a socket in the data folder.
//!
//! Who may open the folder may ask; nothing of it is reachable over the network.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use peerway_p2p::Candidate;
use serde::{Deserialize, Serialize};
use tokio::net::{UnixListener, UnixStream};
use tower::ServiceExt;

use crate::Gateway;

/// One node's offer of one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeReport {
    /// The node's peer id.
    pub node: String,
    /// Who is paid for its work.
    pub operator: Option<String>,
    /// The gateway through which it is reached. None: it is connected to this one.
    #[serde(default)]
    pub via: Option<String>,
    /// The model it serves.
    pub model: String,
    /// Nano-USD per million prompt tokens.
    pub input: i64,
    /// Nano-USD per million generated tokens.
    pub output: i64,
    /// Requests that it runs at a time.
    pub slots: u32,
    /// Requests there now.
    pub occupied: u32,
    /// Milliseconds to the first token, lately.
    pub ttft_ms: u32,
    /// Whether requests are sent to it.
    pub healthy: bool,
}

/// A listening socket that is removed when it is dropped.
#[derive(Debug)]
pub struct AdminSocket {
    path: PathBuf,
    listener: UnixListener,
}

impl AdminSocket {
    /// Listens. The data folder is locked by this gateway, so a socket that lies there is a leftover.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn bind(path: PathBuf) -> io::Result<Self> {
        if path.exists() {
            fs::remove_file(&path)?;
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(Self { path, listener })
    }

    /// Answers until it is dropped.
    pub async fn serve(self, gateway: Arc<Gateway>) {
        let routes = Router::new().route("/nodes", get(nodes)).with_state(gateway);
        while let Ok((stream, _)) = self.listener.accept().await {
            let service = routes
                .clone()
                .into_service()
                .map_request(|request: http::Request<hyper::body::Incoming>| request.map(axum::body::Body::new));
            tokio::spawn(async move {
                let builder = Builder::new(hyper_util::rt::TokioExecutor::new());
                // A caller that leaves early is no concern of ours.
                let _ = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).await;
            });
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // It is made anew at the next start in any case.
        let _ = fs::remove_file(&self.path);
    }
}

async fn nodes(State(gateway): State<Arc<Gateway>>) -> String {
    let directory = gateway.peers.directory();
    let (snapshot, now_ms) = (directory.snapshot(), directory.now_ms());
    let mut reports: Vec<NodeReport> = snapshot
        .models()
        .flat_map(|(_, candidates)| candidates.iter())
        .map(|candidate| report(candidate, now_ms))
        .collect();
    reports.sort_by(|a, b| (&a.model, a.input, &a.node).cmp(&(&b.model, b.input, &b.node)));
    serde_json::to_string(&reports).unwrap_or_default()
}

fn report(candidate: &Candidate, now_ms: u64) -> NodeReport {
    let (offer, stats) = (candidate.offer(), candidate.stats());
    NodeReport {
        node: candidate.peer_id().to_string(),
        operator: candidate.operator().map(str::to_owned),
        via: candidate.node().via().map(|gateway| gateway.to_string()),
        model: offer.id.to_string(),
        input: offer.ask.input,
        output: offer.ask.output,
        slots: candidate.slots(),
        occupied: stats.occupied(),
        ttft_ms: stats.ttft_ms(),
        healthy: candidate.is_healthy(now_ms),
    }
}

/// The nodes that the gateway of this socket knows.
///
/// # Errors
/// Where no gateway listens there, or it does not answer as one.
pub async fn list_nodes(socket: &Path) -> anyhow::Result<Vec<NodeReport>> {
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|error| anyhow::anyhow!("no gateway runs on this data folder ({}: {error})", socket.display()))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = http::Request::get("/nodes").header("host", "admin").body(Empty::<Bytes>::new())?;
    let body = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
    Ok(serde_json::from_slice(&body)?)
}
