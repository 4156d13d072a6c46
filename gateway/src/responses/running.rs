//! Responses that are made in the background.
//!
//! Each is work without a caller: it is recorded event by event, so that any number of callers may read along, from any
//! event on; and it can be cancelled, which stops the node as a caller that leaves does.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use moka::sync::Cache;
use parking_lot::Mutex;
use peerway_billing::AccountId;
use peerway_openapi::responses::{Response, ResponsesDialect, split_frames};
use peerway_openapi::{ApiError, ErrorKind};
use tokio_util::sync::CancellationToken;

use super::Keeping;
use crate::idempotency::Recording;
use crate::work::Work;

/// Responses that are made at a time.
const MOST: usize = 1000;
/// Responses that are made at a time for one account.
const MOST_EACH: usize = 100;
/// How long the events of one that has ended can be read again.
const READABLE_FOR: Duration = Duration::from_secs(600);
/// Bytes of events of ended ones that can be read again.
const READABLE: u64 = 128 << 20;

/// One response that is being made, or was a moment ago.
#[derive(Debug, Clone)]
pub struct Running {
    account: AccountId,
    telling: Keeping,
    /// Its events; the place of each is its sequence number.
    events: Arc<Recording>,
    cancel: CancellationToken,
}

/// All of them.
#[derive(Debug)]
pub struct Background {
    running: Arc<Mutex<HashMap<String, Running>>>,
    ended: Cache<String, Running>,
}

impl Default for Background {
    fn default() -> Self {
        let weigh = |_: &String, running: &Running| u32::try_from(running.events.size()).unwrap_or(u32::MAX);
        let ended = Cache::builder().weigher(weigh).max_capacity(READABLE).time_to_live(READABLE_FOR).build();
        Self { running: Arc::default(), ended }
    }
}

impl Background {
    /// Makes a response in the background. `frames` are its events as they come, made by `telling`.
    ///
    /// # Errors
    /// `Overloaded` where too many are being made.
    pub fn begin(
        &self,
        work: &Work,
        account: AccountId,
        telling: Keeping,
        frames: impl Stream<Item = Bytes> + Send + 'static,
    ) -> Result<Running, ApiError> {
        let id = telling.response().id;
        let (events, cancel) = (Recording::begin(), CancellationToken::new());
        let entry = Running { account, telling, events, cancel };
        {
            let mut running = self.running.lock();
            if running.values().filter(|other| other.account == entry.account).count() >= MOST_EACH {
                let message =
                    format!("{MOST_EACH} responses are being made in the background for this account. Try again.");
                return Err(ApiError::new(ErrorKind::RateLimited, message));
            }
            if running.len() >= MOST {
                let message = "This gateway makes too many responses in the background already. Try again.";
                return Err(ApiError::new(ErrorKind::Overloaded, message));
            }
            running.insert(id.clone(), entry.clone());
        }
        let guard = Ended { id, running: Arc::clone(&self.running), ended: self.ended.clone(), entry: entry.clone() };
        work.begin(async move {
            let made = record(frames, &guard.entry.events);
            tokio::select! {
                () = made => {}
                () = guard.entry.cancel.cancelled() => {}
            }
            drop(guard);
        });
        Ok(entry)
    }

    /// The response of this account, if it is being made or was a moment ago.
    #[must_use]
    pub fn get(&self, account: &AccountId, id: &str) -> Option<Running> {
        let running = self.running.lock().get(id).cloned();
        running.or_else(|| self.ended.get(id)).filter(|running| running.account == *account)
    }

    /// Forgets one that is deleted.
    pub fn forget(&self, account: &AccountId, id: &str) {
        if let Some(running) = self.get(account, id) {
            running.telling.forget();
            running.cancel();
            self.running.lock().remove(id);
            self.ended.invalidate(id);
        }
    }
}

impl Running {
    /// The response as it stands.
    #[must_use]
    pub fn response(&self) -> Response {
        self.telling.response()
    }

    /// Stops it, if it still runs; answers how it stands then.
    pub fn cancel(&self) -> Response {
        let response = if self.response().status.is_final() {
            self.response()
        } else {
            self.telling.change(ResponsesDialect::cancel)
        };
        self.cancel.cancel();
        response
    }

    /// Its events from the one of this sequence number on, also those still to come.
    pub fn events(&self, from: usize) -> impl Stream<Item = Bytes> + Send + 'static {
        self.events.frames(from).filter_map(|frame| async { frame.ok() })
    }
}

/// Tidies up once, also where the gateway stops in the middle.
struct Ended {
    id: String,
    running: Arc<Mutex<HashMap<String, Running>>>,
    ended: Cache<String, Running>,
    entry: Running,
}

impl Drop for Ended {
    fn drop(&mut self) {
        if !self.entry.response().status.is_final() {
            let error = ApiError::new(ErrorKind::ShuttingDown, "The gateway stopped before this response was made.");
            self.entry.telling.change(|telling| telling.fail(&error));
        }
        self.entry.events.end(false);
        if self.entry.telling.is_kept() {
            self.ended.insert(self.id.clone(), self.entry.clone());
        }
        self.running.lock().remove(&self.id);
    }
}

/// Notes every event by itself. Comments, which keep a connection open, are none.
async fn record(frames: impl Stream<Item = Bytes>, events: &Recording) {
    let mut frames = std::pin::pin!(frames);
    while let Some(frames) = frames.next().await {
        split_frames(&frames).filter(|event| !event.starts_with(b":")).for_each(|event| events.push(event));
    }
}
