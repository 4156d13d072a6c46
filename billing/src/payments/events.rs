//! What Stripe tells: believed only if it is signed, kept as it came, answered, and looked into afterwards.

use std::time::Duration;

use peerway_billing_store::EventRow;
use peerway_billing_stripe::WarningId;
use peerway_billing_stripe::webhook::{Event, SignatureError, Subject};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use tracing::{error, warn};

use super::Payments;
use super::error::PaymentError;
use crate::clock::Timestamp;

/// Events that are looked into at a time.
const AT_A_TIME: i64 = 8;

/// How long the worker sleeps when nobody tells it anything.
const NAP: Duration = Duration::from_secs(5);

/// After so many failures, over about three days, an event is left alone; the reconciler finds what it was about.
const MOST_TRIES: i64 = 80;

/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// An event of our own: a warning of fraud that is to be acted on.
const WARNING: &str = "peerway.warning";

const NEW: &str = "new";
const DONE: &str = "done";
const GIVEN_UP: &str = "given_up";

/// Why an event is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventRefused {
    /// It is not believed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It could not be kept, and must come again.
    #[error(transparent)]
    Payment(#[from] PaymentError),
}

impl Payments {
    /// Keeps an event. `signature` is the header `Stripe-Signature`, `body` the bytes as they came. Once this has answered the
    /// event is on disk, and Stripe need not send it again.
    ///
    /// # Errors
    /// It is not signed, or the ledger's database is away.
    pub async fn told(&self, signature: &str, body: &[u8]) -> Result<(), EventRefused> {
        let secrets = self.inner.secrets.as_ref().ok_or(PaymentError::NoSecret)?;
        let now = self.now();
        secrets.check(signature, body, now.as_secs())?;
        let (id, kind) = match Event::read(body) {
            Ok(event) => (event.id.to_string(), event.kind.chars().take(100).collect()),
            // Stripe signed it, so it is kept for a person to read.
            Err(_) => (format!("sha256:{}", hex::encode(Sha256::digest(body))), "unreadable".to_owned()),
        };
        let event = EventRow {
            id,
            kind,
            body: body.to_vec(),
            received_at: now.as_millis(),
            state: NEW.to_owned(),
            tries: 0,
            due_at: now.as_millis(),
            problem: None,
        };
        Ok(self.keep(&event).await?)
    }

    async fn keep(&self, event: &EventRow) -> Result<(), PaymentError> {
        if self.records().keep_event(event).await? {
            self.inner.told.notify_one();
        }
        Ok(())
    }

    /// A warning is acted on as an event is looked into: until it is done, and then never again.
    pub(super) async fn keep_warning(&self, warning: &WarningId) -> Result<(), PaymentError> {
        let (id, now) = (format!("warning_{warning}"), self.now());
        let object = json!({"id": warning.as_str(), "object": "radar.early_fraud_warning"});
        let body = json!({"id": id, "type": WARNING, "created": now.as_secs(), "data": {"object": object}});
        let event = EventRow {
            id,
            kind: WARNING.to_owned(),
            body: body.to_string().into_bytes(),
            received_at: now.as_millis(),
            state: NEW.to_owned(),
            tries: 0,
            due_at: now.as_millis(),
            problem: None,
        };
        self.keep(&event).await
    }

    /// Looks into what was told, until it is dropped.
    pub async fn follow_events(self) {
        loop {
            // Whoever tells something from here on wakes us.
            let told = self.inner.told.notified();
            match self.look_into_events().await {
                Ok(0) => drop(tokio::time::timeout(NAP, told).await),
                Ok(_) => {}
                Err(error) => {
                    warn!(%error, "events could not be looked into");
                    tokio::time::sleep(NAP).await;
                }
            }
        }
    }

    /// Looks into what is due: how many events it was.
    ///
    /// # Errors
    /// The ledger's database is away.
    pub async fn look_into_events(&self) -> Result<usize, PaymentError> {
        let due = self.records().events_due(self.now().as_millis(), AT_A_TIME).await?;
        let count = due.len();
        let mut looks = JoinSet::new();
        for event in due {
            let payments = self.clone();
            looks.spawn(async move { payments.look_into(event).await });
        }
        while let Some(looked) = looks.join_next().await {
            match looked {
                Ok(ended) => ended?,
                Err(fault) => error!(%fault, "looking into an event met a fault"),
            }
        }
        Ok(count)
    }

    async fn look_into(&self, mut event: EventRow) -> Result<(), PaymentError> {
        let looked = match Event::read(&event.body) {
            Ok(read) => self.follow(&read).await,
            Err(problem) => {
                error!(event = event.id, %problem, "a signed event cannot be read");
                event.tries = MOST_TRIES;
                Err(PaymentError::Conflict(problem.to_string()))
            }
        };
        match looked {
            Ok(()) => DONE.clone_into(&mut event.state),
            Err(problem) => {
                event.tries += 1;
                event.due_at = next_try(self.now(), event.tries).as_millis();
                if event.tries > MOST_TRIES {
                    error!(event = event.id, %problem, "an event is given up");
                    GIVEN_UP.clone_into(&mut event.state);
                } else {
                    warn!(event = event.id, tries = event.tries, %problem, "an event must be looked into again");
                }
                event.problem = Some(problem.to_string().chars().take(500).collect());
            }
        }
        self.records().change_event(&event).await?;
        Ok(())
    }

    async fn follow(&self, event: &Event) -> Result<(), PaymentError> {
        let payment = match &event.subject {
            Subject::Payment(payment) => payment.clone(),
            Subject::Checkout(session) => {
                return match self.stripe().checkout(session).await?.payment {
                    Some(payment) => self.look(&payment).await,
                    None => Ok(()),
                };
            }
            Subject::Warning(warning) if event.kind == WARNING => return self.act_on(warning).await,
            Subject::Warning(warning) => match self.stripe().fraud_warning(warning).await?.payment {
                Some(payment) => payment,
                None => return Ok(()),
            },
            Subject::Connected(_) | Subject::Nothing => return Ok(()),
        };
        self.look(&payment).await?;
        if event.kind.starts_with("radar.early_fraud_warning.") {
            self.warned(&payment).await?;
        }
        Ok(())
    }
}

fn next_try(now: Timestamp, tries: i64) -> Timestamp {
    let seconds = 1_u64 << tries.clamp(0, 12);
    now.after(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_further_apart_each_time_and_never_too_far() {
        let now = Timestamp::from_millis(0);
        let waits = [1, 2, 3, 11, 12, 70].map(|tries| next_try(now, tries).as_secs());
        assert_eq!(waits, [2, 4, 8, 2048, 3600, 3600]);
    }
}
