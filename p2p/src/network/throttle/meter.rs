//! Counts attempts against an allowance that refills with time, for a bounded number of those who make them.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// What is remembered of each kind at a time.
pub(super) const MAX_REMEMBERED: usize = 4096;

/// How much of one kind may come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Attempts at once after a pause.
    pub(super) burst: f64,
    /// Attempts in each second.
    pub(super) per_second: f64,
    /// Attempts beyond these before nothing is taken for a while.
    pub(super) patience: u32,
    /// How long that is.
    pub(super) blocked: Duration,
}

#[derive(Debug)]
struct Meter {
    left: f64,
    at: Instant,
    denied: u32,
    blocked_until: Option<Instant>,
}

/// What an attempt comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    Denied,
    /// It is denied, and was one that is punished.
    Blocked,
}

impl Meter {
    fn refill(&mut self, allowance: &Allowance, now: Instant) {
        let refilled = self.left + now.duration_since(self.at).as_secs_f64() * allowance.per_second;
        self.left = refilled.min(allowance.burst);
        self.at = now;
        if self.blocked_until.is_some_and(|until| until <= now) {
            self.blocked_until = None;
            self.denied = 0;
        }
    }

    fn is_quiet(&self, allowance: &Allowance) -> bool {
        self.blocked_until.is_none() && self.left >= allowance.burst
    }

    fn attempt(&mut self, allowance: &Allowance, now: Instant) -> Verdict {
        self.refill(allowance, now);
        if self.blocked_until.is_some() {
            return Verdict::Denied;
        }
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Verdict::Taken;
        }
        self.denied += 1;
        if self.denied < allowance.patience {
            return Verdict::Denied;
        }
        self.blocked_until = Some(now + allowance.blocked);
        Verdict::Blocked
    }
}

/// Meters of one kind.
#[derive(Debug)]
pub(super) struct Meters<K> {
    allowance: Allowance,
    by: HashMap<K, Meter>,
}

impl<K: Copy + Eq + Hash> Meters<K> {
    pub(super) fn new(allowance: Allowance) -> Self {
        Self { allowance, by: HashMap::new() }
    }

    pub(super) fn attempt(&mut self, key: K) -> Verdict {
        let (allowance, now) = (self.allowance, Instant::now());
        if self.by.len() >= MAX_REMEMBERED && !self.by.contains_key(&key) {
            self.make_room(now);
        }
        let fresh = || Meter { left: allowance.burst, at: now, denied: 0, blocked_until: None };
        self.by.entry(key).or_insert_with(fresh).attempt(&allowance, now)
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by.len()
    }

    fn make_room(&mut self, now: Instant) {
        let allowance = self.allowance;
        self.by.retain(|_, meter| {
            meter.refill(&allowance, now);
            !meter.is_quiet(&allowance)
        });
        // So many at once that none is quiet: the one that has done least goes.
        if self.by.len() >= MAX_REMEMBERED
            && let Some(least) = self.by.iter().max_by(|a, b| a.1.left.total_cmp(&b.1.left)).map(|(key, _)| *key)
        {
            self.by.remove(&least);
        }
    }
}
