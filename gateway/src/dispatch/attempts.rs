//! The nodes that are left to try for a request, and what became of those before.

use std::sync::Arc;
use std::time::Duration;

use peerway_openapi::{ApiError, ErrorKind};
use tracing::{info, warn};

use super::RetryBudget;
use crate::route::Pick;

/// How an attempt ended that led to no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// This node cannot serve now; another may. Its own fault or not.
    Node {
        /// It had no room, which is no fault.
        busy: bool,
        /// For the log.
        why: String,
    },
    /// It says that the request cannot be served as it is. No fault of its own; but it may be alone in that.
    Request(ApiError),
}

impl Failed {
    pub(super) fn node(why: impl std::fmt::Display) -> Self {
        Self::Node { busy: false, why: why.to_string() }
    }
}

/// The nodes that are left to try.
#[derive(Debug)]
pub struct Attempts {
    picks: std::vec::IntoIter<Pick>,
    tried: usize,
    /// Every node so far had no room; none failed.
    all_busy: bool,
    /// The last refusal of the request itself: told where no node serves it.
    refusal: Option<ApiError>,
    retries: Arc<RetryBudget>,
    /// A further node was left, and could not be tried: too much was tried again of late.
    is_cut: bool,
}

impl Attempts {
    /// All of them, the best first.
    #[must_use]
    pub fn new(picks: Vec<Pick>, retries: Arc<RetryBudget>) -> Self {
        retries.deposit();
        Self { picks: picks.into_iter(), tried: 0, all_busy: true, refusal: None, retries, is_cut: false }
    }

    /// Whether none is left.
    #[must_use]
    pub fn are_used_up(&self) -> bool {
        self.picks.len() == 0
    }

    /// Nodes tried so far.
    #[must_use]
    pub fn tried(&self) -> usize {
        self.tried
    }

    /// The next node to try.
    pub(super) fn next(&mut self) -> Option<Pick> {
        if self.tried > 0 && self.picks.len() > 0 && !self.retries.withdraw() {
            self.is_cut = true;
            return None;
        }
        let pick = self.picks.next()?;
        self.tried += 1;
        Some(pick)
    }

    /// A node to ask beside one that is late. None where none is left, or may be tried.
    pub(super) fn next_hedge(&mut self) -> Option<Pick> {
        if self.are_used_up() || !self.retries.withdraw() {
            return None;
        }
        self.tried += 1;
        self.picks.next()
    }

    /// A node began to answer so long after it was asked.
    pub(super) fn answered(pick: &Pick, took: Duration) {
        metrics::counter!("peerway_attempts_total", "result" => "answered").increment(1);
        metrics::histogram!("peerway_first_token_seconds").record(took);
        pick.candidate.health().began(took);
    }

    /// A node did not. Whose mistake it was is decided when none is left: one node's word that a request is wrong could
    /// otherwise keep all others from serving it.
    pub(super) fn failed(&mut self, pick: &Pick, failed: Failed) {
        let node = pick.candidate.peer_id();
        match failed {
            Failed::Request(error) => {
                metrics::counter!("peerway_attempts_total", "result" => "refused").increment(1);
                info!(%node, why = error.message(), "node refuses the request; trying the next");
                self.refusal = Some(error);
            }
            Failed::Node { busy: true, why } => {
                metrics::counter!("peerway_attempts_total", "result" => "busy").increment(1);
                info!(%node, why, "node is busy; trying the next");
            }
            Failed::Node { busy: false, why } => {
                metrics::counter!("peerway_attempts_total", "result" => "failed").increment(1);
                warn!(%node, why, "node failed before its answer began; trying the next");
                pick.candidate.health().failed();
                self.all_busy = false;
            }
        }
    }

    /// What the caller is told when no node is left.
    pub(super) fn error(&self) -> ApiError {
        if let Some(refusal) = &self.refusal {
            return refusal.clone();
        }
        let tried = self.tried;
        if self.is_cut {
            let message =
                "A node failed, and too many requests had to be tried again of late. You were not charged; try again.";
            return ApiError::new(ErrorKind::NoHealthyNode, message);
        }
        if self.all_busy {
            let message = format!("All {tried} nodes that were tried are busy. Try again.");
            return ApiError::new(ErrorKind::NoHealthyNode, message);
        }
        let message = format!("None of the {tried} nodes that were tried answered. You were not charged; try again.");
        ApiError::new(ErrorKind::NodeFailed, message)
    }
}
