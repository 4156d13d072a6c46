//! A dialect that puts its response into the store when it ends.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use peerway_billing::AccountId;
use peerway_openapi::chat::{ChatChunk, ChatCompletion};
use peerway_openapi::dialect::Unwritable;
use peerway_openapi::responses::{InputItem, Response, ResponsesDialect};
use peerway_openapi::usage::Usage;
use peerway_openapi::{ApiError, Dialect};
use time::OffsetDateTime;
use tracing::error;

use super::store::{ResponseStore, Stored};

/// Where a response is kept, and what it answers.
#[derive(Debug, Clone)]
pub struct Keep {
    /// The store.
    pub store: Arc<ResponseStore>,
    /// Whose response it is.
    pub account: AccountId,
    /// What was asked.
    pub input: Vec<InputItem>,
}

/// Tells a response, and keeps it. Clones share it.
#[derive(Debug, Clone)]
pub struct Keeping {
    inner: Arc<Mutex<ResponsesDialect>>,
    /// None: the caller does not want it to be kept, or has deleted it.
    keep: Arc<Mutex<Option<Keep>>>,
}

impl Keep {
    /// Keeps a response as it stands.
    pub fn put(&self, response: Response) {
        let stored = Stored { response, input: self.input.clone() };
        if let Err(cause) = self.store.put(&self.account, &stored) {
            error!(%cause, response = %stored.response.id, "a response could not be kept");
        }
    }
}

impl Keeping {
    /// Tells with this dialect. `keep`: None where it is not to be kept.
    #[must_use]
    pub fn new(inner: ResponsesDialect, keep: Option<Keep>) -> Self {
        Self { inner: Arc::new(Mutex::new(inner)), keep: Arc::new(Mutex::new(keep)) }
    }

    /// The response as it stands.
    #[must_use]
    pub fn response(&self) -> Response {
        self.inner.lock().response().clone()
    }

    /// Changes its state, and keeps it so.
    pub fn change(&self, change: impl FnOnce(&mut ResponsesDialect)) -> Response {
        change(&mut self.inner.lock());
        self.keep_it();
        self.response()
    }

    /// The dialect, told the time: the answer ends now.
    fn ending(&self) -> MutexGuard<'_, ResponsesDialect> {
        let mut telling = self.inner.lock();
        telling.finished_at(OffsetDateTime::now_utc().unix_timestamp());
        telling
    }

    /// Keeps it no more: it is being deleted. What is under way is waited for.
    pub fn forget(&self) {
        self.keep.lock().take();
    }

    /// Whether it is kept.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.keep.lock().is_some()
    }

    fn keep_it(&self) {
        if let Some(keep) = &*self.keep.lock() {
            keep.put(self.response());
        }
    }
}

// What ends a response is kept before the caller learns of its end: its next request may go on from it.
impl Dialect for Keeping {
    fn whole(&mut self, answer: ChatCompletion) -> Result<Bytes, Unwritable> {
        let told = self.ending().whole(answer);
        self.keep_it();
        told
    }

    fn serves(&mut self, model: &str) {
        self.inner.lock().serves(model);
    }

    fn open(&mut self) -> Result<Bytes, Unwritable> {
        self.inner.lock().open()
    }

    fn piece(&mut self, chunk: ChatChunk) -> Result<Bytes, Unwritable> {
        self.inner.lock().piece(chunk)
    }

    fn end(&mut self, usage: Usage) -> Result<Bytes, Unwritable> {
        let told = self.ending().end(usage);
        self.keep_it();
        told
    }

    fn refusal(&self, error: &ApiError) -> http::Response<Bytes> {
        self.inner.lock().refusal(error)
    }

    fn broken(&mut self, error: &ApiError) -> Result<Bytes, Unwritable> {
        let told = self.ending().broken(error);
        self.keep_it();
        told
    }
}
