//! Which version of HTTP a caller speaks, and serving it.
//!
//! The first bytes tell, and they are looked at without being taken. hyper-util's builder for both versions takes them
//! and puts them back in front, which costs every connection a read buffer of twice the size; with thousands of slow
//! readers that is what memory is spent on. So each connection is served by the one version that it speaks.

use std::io;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::HttpService;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// How an HTTP/2 connection begins that nobody negotiated (RFC 9113, 3.4). No method of HTTP/1 begins like this.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";
/// Pause before looking again at a greeting that is not all there. Doubles each time, up to a second: whoever leaves
/// thousands of connections at half a greeting must not keep us busy.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Such a pause at most.
const LOOK_AGAIN_AT_MOST: Duration = Duration::from_secs(1);

/// How long a request's head may take to arrive, and an idle connection to ask again.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a request's head, and of what is read at a time, at most.
const MAX_BUFFER: usize = 64 << 10;
/// Requests at a time on one HTTP/2 connection.
const MAX_H2_STREAMS: u32 = 256;
/// Bytes of the headers of one HTTP/2 request.
const MAX_H2_HEADERS: u32 = 32 << 10;
/// How often an HTTP/2 connection is asked whether it is alive.
const H2_PING: Duration = Duration::from_secs(30);

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Serves one connection to its end, or until `stop` where it has not said a word.
///
/// # Errors
/// Whatever broke the connection.
pub(super) async fn serve<S>(
    stream: TcpStream,
    service: S,
    watcher: Watcher,
    stop: &CancellationToken,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    S: HttpService<Incoming, ResBody = axum::body::Body> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let spoken = tokio::select! {
        spoken = greeting(&stream) => spoken?,
        () = stop.cancelled() => return Ok(()),
    };
    let io = TokioIo::new(stream);
    match spoken {
        Protocol::Http1 => {
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_BUFFER);
            watcher.watch(builder.serve_connection(io, service)).await?;
        }
        Protocol::Http2 => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.timer(TokioTimer::new()).max_concurrent_streams(MAX_H2_STREAMS);
            builder.max_header_list_size(MAX_H2_HEADERS).keep_alive_interval(H2_PING);
            // In a box, because it is large and few callers speak it: every connection's task has room for both.
            Box::pin(watcher.watch(builder.serve_connection(io, service))).await?;
        }
    }
    Ok(())
}

/// Waits for enough of the first bytes to know.
async fn greeting(stream: &TcpStream) -> io::Result<Protocol> {
    let (mut first, mut pause) = ([0; PREFACE.len()], LOOK_AGAIN);
    loop {
        let length = stream.peek(&mut first).await?;
        let seen = &first[..length];
        // An end is for HTTP/1 to find.
        if seen.is_empty() || !PREFACE.starts_with(seen) {
            return Ok(Protocol::Http1);
        }
        if seen.len() == PREFACE.len() {
            return Ok(Protocol::Http2);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_AGAIN_AT_MOST);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    async fn spoken(pieces: &[&[u8]]) -> Protocol {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let said = async {
            for piece in pieces {
                caller.write_all(piece).await.unwrap();
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::join!(greeting(&accepted), said).0.unwrap()
    }

    #[tokio::test]
    async fn the_first_bytes_tell_the_version_however_they_come() {
        assert_eq!(spoken(&[b"GET / HTTP/1.1\r\n"]).await, Protocol::Http1);
        assert_eq!(spoken(&[b"P", b"OST / HTTP/1.1\r\n"]).await, Protocol::Http1);
        assert_eq!(spoken(&[b"PRI", b"NT / HTTP/1.1\r\n"]).await, Protocol::Http1);
        assert_eq!(spoken(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]).await, Protocol::Http2);
        assert_eq!(spoken(&[b"PR", b"I * HTT", b"P/2.0\r\n\r\nSM\r\n\r\n"]).await, Protocol::Http2);
    }
}
