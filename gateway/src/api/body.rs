//! Reading a request's body, within bounds.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use peerway_openapi::{ApiError, ErrorKind};

use crate::config::ServeConfig;

/// Bytes past the limit that are read and thrown away, so that a caller who sends it all before it reads can read the
/// refusal; past them the connection is cut.
const DRAINED_BYTES: usize = 64 << 20;

/// The whole body.
///
/// # Errors
/// `BodyTooLarge`, `RequestTimeout`, or `InvalidRequest` where the caller broke off.
pub(crate) async fn read(body: Body, config: &ServeConfig) -> Result<Bytes, ApiError> {
    read_within(body, config.max_body_bytes, config.body_timeout()).await
}

async fn read_within(body: Body, limit: usize, timeout: Duration) -> Result<Bytes, ApiError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let read = collect(body, limit, announced.min(limit));
    tokio::time::timeout(timeout, read).await.unwrap_or_else(|_| {
        let message = format!("The body did not arrive within {} s.", timeout.as_secs());
        Err(ApiError::new(ErrorKind::RequestTimeout, message))
    })
}

async fn collect(mut body: Body, limit: usize, capacity: usize) -> Result<Bytes, ApiError> {
    let mut whole = BytesMut::with_capacity(capacity);
    let mut too_large = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::new(ErrorKind::InvalidRequest, "The body broke off."))?;
        let Ok(data) = frame.into_data() else { continue };
        if too_large == 0 && whole.len() + data.len() <= limit {
            whole.extend_from_slice(&data);
            continue;
        }
        whole = BytesMut::new();
        too_large += data.len();
        if too_large > DRAINED_BYTES {
            break;
        }
    }
    match too_large {
        0 => Ok(whole.freeze()),
        _ => Err(ApiError::new(ErrorKind::BodyTooLarge, format!("The body is larger than {limit} bytes."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_limit_is_exact() {
        let read = |bytes: usize| read_within(Body::from(vec![b'x'; bytes]), 100, Duration::from_secs(1));
        assert_eq!(read(100).await.unwrap().len(), 100);
        assert_eq!(read(101).await.unwrap_err().kind(), ErrorKind::BodyTooLarge);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_awaited() {
        let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        let refused = read_within(never, 100, Duration::from_secs(30)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::RequestTimeout);
    }
}
