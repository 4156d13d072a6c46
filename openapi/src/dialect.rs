//! One answer, told in the words of the API that the caller speaks.
//!
//! Nodes answer in chat chunks, whatever was asked: that is what the gateway counts, bills and may continue elsewhere. A
//! dialect turns them into what the caller's own library expects: chunks, text completions, response events, messages.
//! It is a state machine without I/O, so that every event of every API can be tested without a network.

use bytes::Bytes;
use http::Response;

use crate::chat::{ChatChunk, ChatCompletion};
use crate::usage::Usage;
use crate::{ApiError, sse};

/// A value that could not be written as JSON, which is a fault of ours.
pub type Unwritable = serde_json::Error;

/// How one request's answer is told. Made for one request, and used for one of the two forms: whole or streamed.
pub trait Dialect: Send {
    /// The whole answer, as JSON. `answer` has its usage and cost.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn whole(&mut self, answer: ChatCompletion) -> Result<Bytes, Unwritable>;

    /// The gateway's count of the prompt's tokens, before anything is told. Some APIs tell it first.
    fn prompt(&mut self, _tokens: u64) {}

    /// The model that serves: the one that was asked for, or one to fall back on. Told before anything else where it is
    /// known by then.
    fn serves(&mut self, _model: &str) {}

    /// What comes before the first piece. Empty where nothing does.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn open(&mut self) -> Result<Bytes, Unwritable> {
        Ok(Bytes::new())
    }

    /// The frames of the next piece. May be empty.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn piece(&mut self, chunk: ChatChunk) -> Result<Bytes, Unwritable>;

    /// The frames that end a stream as it should, when all answers have said why they stopped.
    ///
    /// # Errors
    /// Where they cannot be written.
    fn end(&mut self, usage: Usage) -> Result<Bytes, Unwritable>;

    /// The frames that end a stream that broke.
    ///
    /// # Errors
    /// Where they cannot be written.
    fn broken(&mut self, error: &ApiError) -> Result<Bytes, Unwritable> {
        sse::frame(&error.envelope())
    }

    /// What keeps proxies from cutting a silent stream.
    fn keep_alive(&self) -> Bytes {
        sse::KEEP_ALIVE_FRAME
    }

    /// The refusal of a request, before anything was answered.
    fn refusal(&self, error: &ApiError) -> Response<Bytes> {
        error.response()
    }
}
