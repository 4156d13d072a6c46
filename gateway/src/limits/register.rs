//! Everybody's buckets.
//!
//! A bucket that is full again is the same as none, so idle ones are dropped: what is kept is who asked in the last
//! minute. They are looked for when the register has doubled since the last time, which costs each request a constant.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use peerway_billing::Limits;
use peerway_openapi::{ApiError, ErrorKind};

use super::bucket::{Bucket, Level, Refused};
use super::ticket::Ticket;
use crate::access::{Principal, RateKey};

/// Entries below which nobody looks for idle ones.
const FEW: usize = 1024;

/// How fast everybody asks. Clones share it.
#[derive(Debug, Clone)]
pub struct RateLimits(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: NanoClock,
    register: Mutex<Register>,
}

#[derive(Debug)]
struct Register {
    entries: HashMap<RateKey, Entry>,
    /// Entries at which idle ones are looked for.
    sweep_at: usize,
}

#[derive(Debug, Default)]
struct Entry {
    requests: Bucket,
    tokens: Bucket,
    running: u32,
    /// As they were when the last request came.
    limits: Limits,
}

/// Nanoseconds since some moment in the past.
#[derive(Clone)]
pub(super) struct NanoClock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl std::fmt::Debug for NanoClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NanoClock")
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        let start = Instant::now();
        Self::with_clock(move || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

impl RateLimits {
    pub(super) fn with_clock(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let register = Mutex::new(Register { entries: HashMap::new(), sweep_at: FEW });
        Self(Arc::new(Shared { clock: NanoClock(Arc::new(now)), register }))
    }

    /// Takes a request and a place among those at a time, which the ticket gives back when it is dropped.
    ///
    /// # Errors
    /// `RateLimited`, saying which limit; nothing was taken.
    pub fn enter(&self, principal: &Principal) -> Result<Ticket, ApiError> {
        let (limits, key) = (principal.limits, principal.rate_key());
        // Who has no limits is not counted: it could be held against nothing.
        if limits.is_unlimited() {
            return Ok(Ticket::new(self.clone(), key, limits));
        }
        let now = self.now();
        let mut register = self.0.register.lock();
        register.sweep(now);
        let entry = register.entries.entry(key.clone()).or_default();
        entry.limits = limits;
        if let Some(most) = limits.concurrent.filter(|most| entry.running >= *most) {
            let message = format!("This key has {most} requests under way, as many as it may. Wait for one to end.");
            return Err(ApiError::new(ErrorKind::RateLimited, message));
        }
        if let Some(limit) = limits.requests_per_minute {
            entry.requests.take(1, limit, now).map_err(|refused| refused_requests(refused, limit))?;
        }
        entry.running += 1;
        Ok(Ticket::new(self.clone(), key, limits))
    }

    /// Tells a caller who was not let in what is left.
    pub fn tell(&self, principal: &Principal, headers: &mut http::HeaderMap) {
        super::ticket::tell(self, &principal.rate_key(), &principal.limits, headers);
    }

    /// What is left of the limits on requests and on tokens.
    pub(super) fn levels(&self, key: &RateKey, limits: &Limits) -> (Option<Level>, Option<Level>) {
        let now = self.now();
        let mut register = self.0.register.lock();
        // Nobody there is a full bucket.
        let (mut requests, mut tokens) = (Bucket::default(), Bucket::default());
        let (requests, tokens) = match register.entries.get_mut(key) {
            Some(entry) => (&mut entry.requests, &mut entry.tokens),
            None => (&mut requests, &mut tokens),
        };
        let level = |bucket: &mut Bucket, limit: Option<u64>| limit.map(|limit| bucket.level(limit, now));
        (level(requests, limits.requests_per_minute), level(tokens, limits.tokens_per_minute))
    }

    pub(super) fn take_tokens(&self, key: &RateKey, count: u64, limit: u64) -> Result<(), ApiError> {
        let now = self.now();
        let mut register = self.0.register.lock();
        let taken = register.entries.entry(key.clone()).or_default().tokens.take(count, limit, now);
        taken.map_err(|refused| refused_tokens(refused, count, limit))
    }

    /// Exchanges what was taken for what was used.
    pub(super) fn settle_tokens(&self, key: &RateKey, taken: u64, used: u64, limit: u64) {
        let now = self.now();
        let mut register = self.0.register.lock();
        let Some(entry) = register.entries.get_mut(key) else { return };
        match used.checked_sub(taken) {
            Some(more) => entry.tokens.force(more, limit, now),
            None => entry.tokens.give_back(taken - used, limit, now),
        }
    }

    pub(super) fn leave(&self, key: &RateKey) {
        if let Some(entry) = self.0.register.lock().entries.get_mut(key) {
            entry.running = entry.running.saturating_sub(1);
        }
    }

    /// Callers in memory, for tests and metrics.
    #[must_use]
    pub fn callers(&self) -> usize {
        self.0.register.lock().entries.len()
    }

    fn now(&self) -> u64 {
        self.0.clock.0()
    }
}

impl Register {
    fn sweep(&mut self, now: u64) {
        if self.entries.len() < self.sweep_at {
            return;
        }
        self.entries.retain(|_, entry| !entry.is_idle(now));
        self.sweep_at = (self.entries.len() * 2).max(FEW);
    }
}

impl Entry {
    fn is_idle(&mut self, now: u64) -> bool {
        let is_full = |bucket: &mut Bucket, limit: Option<u64>| limit.is_none_or(|limit| bucket.is_full(limit, now));
        self.running == 0
            && is_full(&mut self.requests, self.limits.requests_per_minute)
            && is_full(&mut self.tokens, self.limits.tokens_per_minute)
    }
}

fn refused_requests(refused: Refused, limit: u64) -> ApiError {
    let message = format!("This key may make {limit} requests a minute, and has made them.");
    waiting(message, refused)
}

fn refused_tokens(refused: Refused, count: u64, limit: u64) -> ApiError {
    let message = match refused {
        Refused::Wait(_) => {
            format!("This request may use {count} tokens, and of this key's {limit} a minute fewer are left.")
        }
        Refused::Never => format!(
            "This request may use {count} tokens, and this key may use {limit} a minute: it never fits. Shorten it, or \
             lower the number of tokens that it may generate."
        ),
    };
    waiting(message, refused)
}

fn waiting(message: String, refused: Refused) -> ApiError {
    let error = ApiError::new(ErrorKind::RateLimited, message);
    match refused {
        Refused::Wait(time) => error.retry_in(time),
        // Clients that try again by themselves shall not do so at once.
        Refused::Never => error.retry_in(Duration::from_secs(60)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use peerway_billing::AccountId;

    use super::*;
    use crate::access::testing::principal;

    pub(in super::super) fn limits() -> (RateLimits, Arc<AtomicU64>) {
        let hand = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&hand);
        (RateLimits::with_clock(move || clock.load(Ordering::SeqCst)), hand)
    }

    pub(in super::super) fn limited(requests: Option<u64>, tokens: Option<u64>, concurrent: Option<u32>) -> Principal {
        let limits = Limits { requests_per_minute: requests, tokens_per_minute: tokens, concurrent };
        Principal { limits, ..principal() }
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn requests_are_counted_and_refusals_are_not() {
        let (limits, hand) = limits();
        let caller = limited(Some(2), None, None);
        assert!(limits.enter(&caller).is_ok() && limits.enter(&caller).is_ok());
        for _ in 0..5 {
            let refused = limits.enter(&caller).unwrap_err();
            assert_eq!(
                (refused.kind(), refused.retry_after()),
                (ErrorKind::RateLimited, Some(Duration::from_secs(30)))
            );
        }
        hand.store(30 * SECOND, Ordering::SeqCst);
        assert!(limits.enter(&caller).is_ok() && limits.enter(&caller).is_err());
    }

    #[test]
    fn a_place_is_given_back_and_its_refusal_takes_no_request() {
        let (limits, _) = limits();
        let caller = limited(Some(3), None, Some(1));
        let held = limits.enter(&caller).unwrap();
        (0..5).for_each(|_| assert!(limits.enter(&caller).is_err()));
        drop(held);
        // Two requests are left, as if nobody had been refused.
        assert!(limits.enter(&caller).is_ok() && limits.enter(&caller).is_ok() && limits.enter(&caller).is_err());
    }

    #[test]
    fn callers_do_not_share() {
        let (limits, _) = limits();
        let one = limited(Some(1), None, None);
        let two = Principal { account: AccountId::new("acct_other").unwrap(), ..one.clone() };
        assert!(limits.enter(&one).is_ok() && limits.enter(&one).is_err());
        assert!(limits.enter(&two).is_ok());
    }

    #[test]
    fn who_has_been_idle_for_a_minute_is_forgotten() {
        let (limits, hand) = limits();
        let caller = |number: usize| Principal {
            account: AccountId::new(format!("acct_{number}")).unwrap(),
            ..limited(Some(60), None, Some(1))
        };
        let held = limits.enter(&caller(0)).unwrap();
        (1..FEW).for_each(|number| drop(limits.enter(&caller(number))));
        assert_eq!(limits.callers(), FEW);
        hand.store(60 * SECOND, Ordering::SeqCst);
        drop(limits.enter(&caller(FEW)));
        assert_eq!(limits.callers(), 2);
        assert!(limits.enter(&caller(0)).is_err());
        drop(held);
        assert!(limits.enter(&caller(0)).is_ok());
    }
}
