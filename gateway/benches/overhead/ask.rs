//! Asking, and timing the answers.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// A short answer, at once.
    Whole,
    /// A stream of so many pieces.
    Stream(usize),
}

/// Asks one server.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    address: SocketAddr,
    key: Option<String>,
}

impl Asker {
    pub(crate) fn new(address: SocketAddr, key: Option<&str>) -> Self {
        Self { address, key: key.map(str::to_owned) }
    }

    /// Asks again and again on one connection.
    pub(crate) async fn sequential(&self, requests: usize) -> Vec<Duration> {
        let mut connection = self.connect().await;
        let mut times = Vec::with_capacity(requests);
        for _ in 0..requests {
            let started = Instant::now();
            self.ask(&mut connection, Answer::Whole).await;
            times.push(started.elapsed());
        }
        times
    }

    /// Asks on many connections at once. Returns how long all took and how many answers there were.
    pub(crate) async fn concurrent(&self, callers: usize, each: usize, answer: Answer) -> (Duration, usize) {
        let mut connections = Vec::new();
        for _ in 0..callers {
            connections.push(self.connect().await);
        }
        let started = Instant::now();
        let asking = connections.into_iter().map(|mut connection| {
            let asker = self.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    asker.ask(&mut connection, answer).await;
                }
            })
        });
        for caller in asking.collect::<Vec<_>>() {
            caller.await.expect("a caller ends well");
        }
        (started.elapsed(), callers * each)
    }

    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(self.address).await.expect("the server listens");
        stream.set_nodelay(true).expect("TCP takes nodelay");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("the server speaks HTTP");
        tokio::spawn(connection);
        sender
    }

    async fn ask(&self, connection: &mut SendRequest<Full<Bytes>>, answer: Answer) {
        let (tokens, stream) = match answer {
            Answer::Whole => (32, false),
            Answer::Stream(pieces) => (pieces, true),
        };
        let question = "Please write one sentence that has every letter of the alphabet in it, and nothing else at all. \
                        Do not explain it, do not translate it and do not put it in quotes.";
        let body = format!(
            r#"{{"model":"bench","messages":[{{"role":"user","content":"{question}"}}],"max_tokens":{tokens},"temperature":0.7,"stream":{stream}}}"#
        );
        let mut request =
            Request::post("/v1/chat/completions").header("host", "bench").header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let request = request.body(Full::new(Bytes::from(body))).expect("the request is sound");
        connection.ready().await.expect("the connection is open");
        let response = connection.send_request(request).await.expect("the server answers");
        let status = response.status();
        let body = response.into_body().collect().await.expect("the answer is whole").to_bytes();
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        if stream {
            assert!(body.ends_with(b"data: [DONE]\n\n"), "the stream is cut");
        }
    }
}

/// The middle and the edge of many times, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Percentiles {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Percentiles {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
        Self { p50_ms: at(50), p99_ms: at(99) }
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {:.3} ms   p99 {:.3} ms", self.p50_ms, self.p99_ms)
    }
}
