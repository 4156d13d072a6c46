//! Why no stream was opened.

use std::io;

/// Why there is no stream. In every case nothing of the caller's has reached the peer, so it is safe to go elsewhere.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no connection to the peer, or it closed before the stream was open.
    #[error("the peer is not connected; nothing was sent")]
    NotConnected,
    /// Too many streams wait for this peer already, or are open to it.
    #[error("too many streams are open to the peer or wait for it; nothing was sent")]
    Overloaded,
    /// The peer did not serve the stream in time.
    #[error("the peer did not take the stream in time; nothing was sent")]
    Timeout,
    /// The peer does not speak the protocol.
    #[error("the peer does not speak the protocol; nothing was sent")]
    Unsupported,
    /// The peer closed the stream unserved: it has no room, or it is stopping.
    #[error("the peer closed the stream without serving it; nothing was sent")]
    NotServed,
    /// The connection failed under the stream.
    #[error("the stream failed before it was served ({0}); nothing was sent")]
    Io(io::Error),
}
