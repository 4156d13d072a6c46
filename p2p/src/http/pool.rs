//! Streams to peers that wait for their next request.
//!
//! Last in, first out: the streams in use stay few and warm, and those that a peak left behind grow old and are closed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::connection::Connection;
use super::route::Route;

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

#[derive(Debug)]
struct PeerPool {
    idle: Vec<Idle>,
    /// Streams that may be open to the peer, in use or idle.
    places: Arc<Semaphore>,
}

/// The idle streams of all peers.
#[derive(Debug)]
pub(super) struct Pool {
    max_per_peer: usize,
    idle_timeout: Duration,
    peers: Mutex<HashMap<Route, PeerPool>>,
    pub(super) opened: AtomicU64,
    pub(super) reused: AtomicU64,
}

impl Pool {
    pub(super) fn new(max_per_peer: usize, idle_timeout: Duration) -> Self {
        Self {
            max_per_peer,
            idle_timeout,
            peers: Mutex::default(),
            opened: AtomicU64::new(0),
            reused: AtomicU64::new(0),
        }
    }

    /// The stream that was used last. None where none is idle.
    pub(super) fn take(&self, route: Route) -> Option<Connection> {
        let mut peers = self.peers.lock();
        let idle = &mut peers.get_mut(&route)?.idle;
        while let Some(Idle { connection, since }) = idle.pop() {
            if !connection.is_closed() && since.elapsed() < self.idle_timeout {
                self.reused.fetch_add(1, Ordering::Relaxed);
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a stream whose answer has been read to its end.
    pub(super) fn give(&self, route: Route, connection: Connection) {
        if connection.is_closed() {
            return;
        }
        if let Some(pool) = self.peers.lock().get_mut(&route) {
            pool.idle.push(Idle { connection, since: Instant::now() });
        }
    }

    /// A place for a new stream. None where as many are open as may be.
    pub(super) fn place(&self, route: Route) -> Option<OwnedSemaphorePermit> {
        let places = self
            .peers
            .lock()
            .entry(route)
            .or_insert_with(|| PeerPool { idle: Vec::new(), places: Arc::new(Semaphore::new(self.max_per_peer)) })
            .places
            .clone();
        places.try_acquire_owned().ok()
    }

    /// Closes streams that have been idle for too long, and forgets peers to which none is open.
    pub(super) fn sweep(&self) {
        self.peers.lock().retain(|_, pool| {
            pool.idle.retain(|idle| !idle.connection.is_closed() && idle.since.elapsed() < self.idle_timeout);
            pool.places.available_permits() < self.max_per_peer
        });
    }

    /// Idle streams to a peer that are still open.
    #[cfg(test)]
    pub(super) fn idle(&self, route: Route) -> usize {
        let peers = self.peers.lock();
        peers.get(&route).map_or(0, |pool| pool.idle.iter().filter(|idle| !idle.connection.is_closed()).count())
    }

    /// Ways to peers that are known.
    #[cfg(test)]
    pub(super) fn routes(&self) -> usize {
        self.peers.lock().len()
    }
}
