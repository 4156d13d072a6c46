//! An OpenAI-compatible server that does next to nothing, so that what stands before it is what is measured.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Between two pieces of a stream.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);
/// Requests for at least this many tokens are answered in as many pieces.
const LONG: u64 = 100;

type Body = UnsyncBoxBody<Bytes, Infallible>;

const WHOLE: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"The quick brown fox jumps over the lazy dog and runs away.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":40,"completion_tokens":12,"total_tokens":52}}"#;
const SHORT_STREAM: &str = concat!(
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[{"index":0,"delta":{"role":"assistant","content":"The quick brown fox jumps over the lazy dog and runs away."},"finish_reason":"stop"}]}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[],"usage":{"prompt_tokens":40,"completion_tokens":12,"total_tokens":52}}"#,
    "\n\ndata: [DONE]\n\n",
);
const PIECE: &str = concat!(
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[{"index":0,"delta":{"content":" fox"},"finish_reason":null}]}"#,
    "\n\n",
);
const LAST: &str = concat!(
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[],"usage":{"prompt_tokens":40,"completion_tokens":100,"total_tokens":140}}"#,
    "\n\ndata: [DONE]\n\n",
);

/// Serves on a port that it prints, until its parent ends it.
pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        println!("{}", listener.local_addr().expect("it is bound"));
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            stream.set_nodelay(true).expect("TCP takes nodelay");
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)),
            );
        }
    });
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let tokens = json["max_completion_tokens"].as_u64().or_else(|| json["max_tokens"].as_u64()).unwrap_or(0);
    let (content_type, body) = match (json["stream"].as_bool(), tokens) {
        (Some(true), LONG..) => ("text/event-stream", pieces(tokens)),
        (Some(true), _) => ("text/event-stream", whole(SHORT_STREAM)),
        _ => ("application/json", whole(WHOLE)),
    };
    Ok(Response::builder().header("content-type", content_type).body(body).expect("the head is sound"))
}

fn whole(text: &'static str) -> Body {
    Full::new(Bytes::from_static(text.as_bytes())).boxed_unsync()
}

fn pieces(count: u64) -> Body {
    let ticks = tokio::time::interval(PAUSE);
    let stream = futures::stream::unfold((ticks, 0), move |(mut ticks, sent)| async move {
        if sent > count {
            return None;
        }
        ticks.tick().await;
        let text = if sent == count { LAST } else { PIECE };
        Some((Ok(Frame::data(Bytes::from_static(text.as_bytes()))), (ticks, sent + 1)))
    });
    StreamBody::new(stream).boxed_unsync()
}
