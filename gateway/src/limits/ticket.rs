//! One request's part of its caller's limits.

use http::HeaderMap;
use parking_lot::Mutex;
use peerway_billing::Limits;
use peerway_openapi::ApiError;

use super::headers;
use super::register::RateLimits;
use crate::access::RateKey;

/// A request that was let in. It is in the request's extensions as `Arc<Ticket>`, and its place among those at a time is
/// given back with the last clone: keep one as long as something runs for the caller.
///
/// Tokens that were taken and never settled are given back too: what nobody used was not used.
#[derive(Debug)]
pub struct Ticket {
    all: RateLimits,
    key: RateKey,
    limits: Limits,
    /// Tokens taken and not yet settled.
    taken: Mutex<u64>,
}

impl Ticket {
    pub(super) fn new(all: RateLimits, key: RateKey, limits: Limits) -> Self {
        Self { all, key, limits, taken: Mutex::new(0) }
    }

    /// Takes as many tokens as the request may use at most. May be called again for more.
    ///
    /// # Errors
    /// `RateLimited`, saying which limit and when there will be enough; nothing was taken.
    pub fn take_tokens(&self, count: u64) -> Result<(), ApiError> {
        let Some(limit) = self.limits.tokens_per_minute else { return Ok(()) };
        let mut taken = self.taken.lock();
        self.all.take_tokens(&self.key, count, limit)?;
        *taken = taken.saturating_add(count);
        Ok(())
    }

    /// Says how many were used in the end, and gives the rest back. Where more were used than taken, they count.
    pub fn settle(&self, used: u64) {
        let Some(limit) = self.limits.tokens_per_minute else { return };
        let taken = std::mem::take(&mut *self.taken.lock());
        self.all.settle_tokens(&self.key, taken, used, limit);
    }

    /// Tells the caller what is left.
    pub fn tell(&self, headers: &mut HeaderMap) {
        tell(&self.all, &self.key, &self.limits, headers);
    }
}

/// Tells a caller what is left; nothing of limits that there are none of.
pub(super) fn tell(all: &RateLimits, key: &RateKey, limits: &Limits, headers: &mut HeaderMap) {
    if limits.is_unlimited() {
        return;
    }
    let (requests, tokens) = all.levels(key, limits);
    if let Some(level) = requests {
        let names = ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
        headers::write(headers, names, level);
    }
    if let Some(level) = tokens {
        let names = ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];
        headers::write(headers, names, level);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.limits.is_unlimited() {
            return;
        }
        let unused = std::mem::take(self.taken.get_mut());
        if let Some(limit) = self.limits.tokens_per_minute.filter(|_| unused > 0) {
            self.all.settle_tokens(&self.key, unused, 0, limit);
        }
        self.all.leave(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use super::super::register::tests::{limited, limits};
    use super::*;

    fn left(ticket: &Ticket) -> String {
        let mut headers = HeaderMap::new();
        ticket.tell(&mut headers);
        headers["x-ratelimit-remaining-tokens"].to_str().unwrap().to_owned()
    }

    #[test]
    fn what_was_not_used_is_given_back() {
        let (limits, _) = limits();
        let ticket = limits.enter(&limited(None, Some(100), None)).unwrap();
        ticket.take_tokens(80).unwrap();
        let refused = ticket.take_tokens(30).unwrap_err();
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(6)));
        assert_eq!(left(&ticket), "20");
        ticket.settle(15);
        assert_eq!(left(&ticket), "85");
        // It is over: only what is settled from here on counts.
        ticket.settle(5);
        assert_eq!(left(&ticket), "80");
        let dropped = limits.enter(&limited(None, Some(100), None)).unwrap();
        dropped.take_tokens(80).unwrap();
        drop(dropped);
        assert_eq!(left(&ticket), "80");
    }

    #[test]
    fn more_than_a_minute_allows_never_fits() {
        let (limits, _) = limits();
        let ticket = limits.enter(&limited(None, Some(100), None)).unwrap();
        let refused = ticket.take_tokens(101).unwrap_err();
        assert!(refused.message().contains("never fits"), "{refused}");
        assert_eq!(refused.response().status(), 429);
        assert_eq!(left(&ticket), "100");
    }

    #[test]
    fn what_was_used_beyond_is_owed() {
        let (limits, hand) = limits();
        let ticket = limits.enter(&limited(None, Some(60), None)).unwrap();
        ticket.take_tokens(60).unwrap();
        ticket.settle(90);
        hand.store(30_000_000_000, Ordering::SeqCst);
        assert_eq!(left(&ticket), "0");
        hand.store(31_000_000_000, Ordering::SeqCst);
        assert_eq!(left(&ticket), "1");
    }

    #[test]
    fn callers_are_told_of_the_limits_they_have() {
        let (limits, _) = limits();
        let names = |ticket: &Ticket| {
            let mut headers = HeaderMap::new();
            ticket.tell(&mut headers);
            headers.len()
        };
        assert_eq!(names(&limits.enter(&limited(None, None, None)).unwrap()), 0);
        assert_eq!(names(&limits.enter(&limited(None, None, Some(1))).unwrap()), 0);
        let ticket = limits.enter(&limited(Some(600), Some(60), None)).unwrap();
        ticket.take_tokens(30).unwrap();
        let mut headers = HeaderMap::new();
        ticket.tell(&mut headers);
        let told = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(told("x-ratelimit-limit-requests"), "600");
        assert_eq!(told("x-ratelimit-remaining-requests"), "599");
        assert_eq!(told("x-ratelimit-reset-requests"), "100ms");
        assert_eq!(told("x-ratelimit-remaining-tokens"), "30");
        assert_eq!(told("x-ratelimit-reset-tokens"), "30s");
    }
}
