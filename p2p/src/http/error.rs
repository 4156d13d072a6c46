//! Why a request was not answered.

use crate::streams::OpenError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The peer has seen nothing of the request.
    #[error("the request was not sent: {0}")]
    NotSent(#[source] OpenError),
    /// The stream broke after the request, or a part of it, had left. It is not known whether the peer processed it.
    #[error("the stream broke after the request was sent ({0}); it is not known whether the peer processed it")]
    Unknown(#[source] hyper::Error),
}

impl SendError {
    /// Whether the peer has seen nothing of the request, so that it is safe to send it elsewhere.
    #[must_use]
    pub fn is_not_sent(&self) -> bool {
        matches!(self, Self::NotSent(_))
    }
}
