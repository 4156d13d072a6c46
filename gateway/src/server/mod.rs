//! Connections: accepting them, bounding them, and letting them go when the gateway stops.

mod protocol;
mod vigil;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, info, warn};

use crate::access::PeerAddr;
use vigil::Vigil;

use crate::stack::HttpService;

/// Pause after the system refused to accept a connection: it has run out of something that only time gives back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bounds of a server.
#[derive(Debug, Clone, Copy)]
pub struct ServerLimits {
    /// Open connections; further ones wait in the listener's backlog.
    pub max_connections: usize,
    /// How long running answers may take once the server stops.
    pub drain: Duration,
}

/// Serves until `stop` is cancelled and the answers in flight have ended or had their time.
pub async fn serve(listener: TcpListener, service: HttpService, limits: ServerLimits, stop: CancellationToken) {
    let connections = Arc::new(Semaphore::new(limits.max_connections.min(Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (service, vigil) = (service.clone(), Vigil::new());
        let watched = Arc::clone(&vigil);
        let service = tower::service_fn(move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            let watch = watched.begin();
            let answer = service.clone().oneshot(request.map(axum::body::Body::new));
            async move { answer.await.map(|response| response.map(|body| watch.over(body))) }
        });
        let (watcher, stop) = (graceful.watcher(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                ended = protocol::serve(stream, TowerToHyperService::new(service), watcher, &stop) => {
                    if let Err(error) = ended {
                        debug!(%error, "a connection ended early");
                    }
                }
                () = vigil.is_useless() => debug!("a connection that nobody uses is closed"),
            }
            drop(permit);
        });
    }
    drop(listener);
    info!(limit_s = limits.drain.as_secs(), "no new requests; waiting for the answers in flight");
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        warn!("answers still running after the limit are cut");
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(tokio::net::TcpStream, PeerAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // Tokens are small and must not wait for each other.
    stream.set_nodelay(true)?;
    Ok((stream, PeerAddr(peer), permit))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use http::{Request, Response};
    use tower::util::BoxCloneSyncService;

    use super::*;

    #[tokio::test]
    async fn a_request_knows_where_it_comes_from() {
        let service = BoxCloneSyncService::new(tower::service_fn(|request: Request<Body>| async move {
            let peer = request.extensions().get::<PeerAddr>().map(|peer| peer.0.to_string());
            Ok::<_, Infallible>(Response::new(Body::from(peer.unwrap_or_default())))
        }));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let here = listener.local_addr().unwrap();
        let limits = ServerLimits { max_connections: 1, drain: Duration::from_secs(1) };
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, service, limits, stop.clone()));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let told = client.get(format!("http://{here}/")).send().await.unwrap().text().await.unwrap();
        let told: std::net::SocketAddr = told.parse().unwrap();
        assert!(told.ip().is_loopback() && told.port() != here.port());
        stop.cancel();
        drop(client);
        server.await.unwrap();
    }
}
