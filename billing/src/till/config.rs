//! Sizes and times of a till.

use std::path::PathBuf;
use std::time::Duration;

use crate::id::OwnerId;
use crate::money::Nanos;

/// How a till leases and flushes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TillConfig {
    /// In whose name leases are held. Stable for one data folder, unique among running gateways.
    pub owner: OwnerId,
    /// The folder of its journal, made where it is missing: captures that are not in the ledger yet. On a disk that outlives
    /// the process, and of one gateway at a time.
    pub journal: PathBuf,
    /// How much to lease at a time where a request needs less and the account has plenty. More means fewer questions to
    /// the ledger and more credit that other gateways do not see as available. Default $0.10.
    pub slice: Nanos,
    /// How long a lease lives without renewal: what a crashed gateway keeps from its customers at most.
    /// Default 5 minutes.
    pub lease_ttl: Duration,
    /// How often leases are renewed or released; well below `lease_ttl`. Default 30 seconds.
    pub renew_every: Duration,
    /// A lease that nobody used for this long is released. Default 60 seconds.
    pub idle_release: Duration,
    /// Captures that may wait for the journal before new requests have to wait: what a killed gateway loses at most, but for
    /// requests that are already admitted, which may exceed it. Default 8192.
    pub queue: u64,
    /// As `queue`, for captures that may wait for the ledger. They are in the journal, and in memory with about 1 kB each.
    /// Default 65 536.
    pub backlog: u64,
    /// How long a request waits for room in either before it is told that the ledger is away. Default 2 seconds.
    pub patience: Duration,
}

impl TillConfig {
    /// The defaults, for `owner`, with its journal in this folder.
    #[must_use]
    pub fn new(owner: OwnerId, journal: impl Into<PathBuf>) -> Self {
        Self {
            owner,
            journal: journal.into(),
            slice: Nanos::new(100_000_000),
            lease_ttl: Duration::from_secs(300),
            renew_every: Duration::from_secs(30),
            idle_release: Duration::from_secs(60),
            queue: 8192,
            backlog: 65_536,
            patience: Duration::from_secs(2),
        }
    }
}
