//! A request's body, bounded in size and in time.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use peerway_openapi::{ApiError, ErrorKind};

use super::ServiceLimits;

pub(super) async fn read<B>(body: Pin<&mut B>, limits: ServiceLimits) -> Result<Bytes, ApiError>
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    let too_large = || {
        let message = format!("The body is larger than {} bytes.", limits.max_body);
        ApiError::new(ErrorKind::BodyTooLarge, message)
    };
    // What a client announces is refused before it is read.
    let most = u64::try_from(limits.max_body).unwrap_or(u64::MAX);
    if body.size_hint().lower() > most {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(limits.body_timeout, collect(body, limits.max_body)).await;
    match collected {
        Ok(Ok(Some(collected))) => Ok(collected),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(error)) => {
            Err(ApiError::new(ErrorKind::InvalidRequest, format!("The body could not be read: {error}.")))
        }
        Err(_elapsed) => Err(ApiError::new(ErrorKind::RequestTimeout, "The body did not arrive in time.")),
    }
}

/// The whole body, None where it is larger than the bound. By hand: the errors of `http_body_util::Limited` are boxed in
/// a way that keeps futures around it from being sent between threads.
async fn collect<B>(mut body: Pin<&mut B>, max: usize) -> Result<Option<Bytes>, B::Error>
where
    B: Body<Data = Bytes> + Send,
{
    let mut collected = BytesMut::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let Ok(data) = frame?.into_data() else { continue };
        if collected.len() + data.len() > max {
            return Ok(None);
        }
        if collected.is_empty() && body.is_end_stream() {
            return Ok(Some(data));
        }
        collected.extend_from_slice(&data);
    }
    Ok(Some(collected.freeze()))
}
