//! What the engines' tests share.
#![allow(dead_code, unused_imports, reason = "each test file uses its part")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use peerway_node::engine::ModelInfo;
use peerway_openapi::chat::{ChatChunk, ChatRequest};
use serde_json::Value;
use tokio::net::TcpListener;

/// A body of a test's server.
pub(crate) type TestBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// A request with these fields over the usual ones.
pub(crate) fn request(change: &Value) -> ChatRequest {
    let mut body = serde_json::json!({ "model": "m", "messages": [{ "role": "user", "content": "Hello there" }] });
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let request: ChatRequest = serde_json::from_value(body).unwrap();
    request.validate().unwrap();
    request
}

/// A model of a test.
pub(crate) fn model(id: &str) -> ModelInfo {
    ModelInfo {
        id: id.to_owned(),
        context_length: 4096,
        quantization: "unknown".to_owned(),
        weights_hash: None,
        capabilities: Vec::new(),
    }
}

/// The text of the chunks.
pub(crate) fn text(chunks: &[ChatChunk]) -> String {
    chunks.iter().flat_map(|chunk| &chunk.choices).filter_map(|choice| choice.delta.content.as_deref()).collect()
}

/// A model of a test that can do this.
pub(crate) fn model_with(id: &str, capabilities: &[&str]) -> ModelInfo {
    let capabilities = capabilities.iter().map(|&name| name.to_owned()).collect();
    ModelInfo { capabilities, ..model(id) }
}

/// The demo model's file.
pub(crate) fn demo_model() -> PathBuf {
    let folder = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let path = folder("PEERWAY_DEMO_MODEL").unwrap_or_else(|| {
        let cache = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
        cache.unwrap_or_default().join("peerway/models/SmolLM2-135M-Instruct.Q8_0.gguf")
    });
    assert!(path.is_file(), "the demo model is not at {}: run `make model`", path.display());
    path
}

/// Serves HTTP/1.1 on a free port for the rest of the test.
pub(crate) async fn serve<H, F>(handler: H) -> SocketAddr
where
    H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<TestBody>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handler = Arc::new(handler);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let handler = handler.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answered = handler(request);
                    async move { Ok::<_, Infallible>(answered.await) }
                });
                let _closed =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    address
}
