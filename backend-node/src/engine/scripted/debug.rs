//! The counters over HTTP, for tests that run the node as a process.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Counters;

/// Answers every request with the counters as JSON, for as long as the runtime lives. Returns where it listens.
///
/// # Errors
/// Where the address cannot be listened on.
pub async fn serve_counters(address: SocketAddr, counters: watch::Receiver<Counters>) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let counters = counters.clone();
            let service = hyper::service::service_fn(move |_| {
                let body = serde_json::to_vec(&*counters.borrow()).unwrap_or_default();
                async move { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body)))) }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service));
        }
    });
    Ok(address)
}
