//! Alerts of budgets that are being used up, posted to where their account wants them.
//!
//! The ledger notices and remembers; here they are told. An alert is claimed before it is posted, so that of several
//! gateways one tells it, and is tried again with growing pauses for about a day. Whoever is told knows a repeated alert by
//! its id.

mod body;
mod send;
mod sign;

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use peerway_billing::{AlertState, DueAlert, Ledger, LedgerError, Timestamp};
use tracing::{debug, warn};

pub use send::Sender;

/// How often budgets are looked at, and what is due is told.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Alerts that are told in one look.
const AT_ONCE: u32 = 64;
/// Of them, posted at the same time.
const CONCURRENT: usize = 8;
/// How long nobody else tells an alert that was claimed. More than a post may take.
const CLAIM: Duration = Duration::from_secs(60);
/// The pause after the first try; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);
/// Tries, after which an alert is given up.
const TRIES: u32 = 12;

/// Tells alerts.
#[derive(Debug)]
pub struct Alerts {
    ledger: Ledger,
    sender: Sender,
}

impl Alerts {
    /// Alerts of this ledger, told by this sender.
    #[must_use]
    pub const fn new(ledger: Ledger, sender: Sender) -> Self {
        Self { ledger, sender }
    }

    /// Whether alerts may be posted to a URL.
    ///
    /// # Errors
    /// Why they may not, for its owner.
    pub fn check(&self, url: &str) -> Result<(), String> {
        self.sender.check(url).map(|_| ())
    }

    /// Looks and tells. Until it is aborted.
    pub async fn follow(self: Arc<Self>) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            if let Err(cause) = self.look().await {
                warn!(%cause, "alerts could not be looked after; the next look tries again");
            }
        }
    }

    /// Notes what budgets have reached and tells what is due.
    ///
    /// # Errors
    /// The ledger's failure.
    pub async fn look(&self) -> Result<(), LedgerError> {
        self.ledger.raise_alerts().await?;
        let due = self.ledger.due_alerts(AT_ONCE).await?;
        let told = stream::iter(due).map(|due| self.tell(due)).buffer_unordered(CONCURRENT);
        let answers: Vec<Result<(), LedgerError>> = told.collect().await;
        answers.into_iter().collect()
    }

    async fn tell(&self, due: DueAlert) -> Result<(), LedgerError> {
        let now = self.ledger.clock().now();
        let claimed = now.after(CLAIM);
        if !self.ledger.claim_alert(&due, claimed).await? {
            return Ok(());
        }
        let body = body::of(&due.alert);
        let signature = sign::header(&due.secret, now, &body);
        let posted = self.sender.post(&due.url, body, &signature).await;
        let (state, next) = match posted {
            Ok(()) => (AlertState::Delivered, now),
            Err(why) => {
                let tried = due.attempts.saturating_add(1);
                debug!(alert = %due.alert.id, account = %due.alert.account, tried, %why, "an alert was not taken");
                after_failure(tried, now)
            }
        };
        if state == AlertState::GivenUp {
            warn!(alert = %due.alert.id, account = %due.alert.account, tries = TRIES, "an alert was given up");
        }
        self.ledger.settle_alert(&due.alert.id, claimed, state, next).await.map(|_| ())
    }
}

/// What becomes of an alert after so many tries.
fn after_failure(tried: u32, now: Timestamp) -> (AlertState, Timestamp) {
    if tried >= TRIES {
        return (AlertState::GivenUp, now);
    }
    let pause = FIRST_PAUSE.saturating_mul(1 << tried.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    (AlertState::Due, now.after(pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let now = Timestamp::from_millis(0);
        let pause = |tried| after_failure(tried, now).1.as_secs();
        assert_eq!([1, 2, 3, 10, 11].map(pause), [30, 60, 120, 15_360, 21_600]);
        assert_eq!(after_failure(11, now).0, AlertState::Due);
        assert_eq!(after_failure(12, now).0, AlertState::GivenUp);
    }
}
