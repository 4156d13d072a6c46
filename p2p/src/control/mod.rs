//! What nodes and gateways tell each other, and when.
//!
//! A node opens one control stream to each of its gateways and talks on it as long as it lives: its advert when that
//! changes and well before it expires, its load on change and as a heartbeat, and that it drains. The gateway answers
//! what it took and what it refused, and probes. Both ends take silence for death, because a cut cable says nothing.
//!
//! Gossip between gateways was rejected: it tells everyone everything, and what it loses it loses silently.

mod acceptor;
mod flood;
mod gateway_side;
mod node_side;
mod offences;
mod rules;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use acceptor::Acceptor;
pub(crate) use node_side::{Event, NodeSide, Sources};
pub(crate) use offences::{FORGOTTEN_AFTER, Offences};
pub(crate) use rules::{CLOCK_TOLERANCE, Rules, lifetime, next_change};

/// When things are said, and when silence is death. Both ends use the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlTimings {
    /// Load and adverts are sent at most this often.
    pub min_gap: Duration,
    /// Load is sent, and the gateway probes, at least this often.
    pub heartbeat: Duration,
    /// A node that says nothing for this long is dead.
    pub node_silence: Duration,
    /// A gateway that says nothing for this long is dead.
    pub gateway_silence: Duration,
    /// A frame that cannot be written for this long means that the other end is dead.
    pub write_timeout: Duration,
    /// An unchanged advert is sent again this often.
    pub advert_refresh: Duration,
    /// An advert counts for this long.
    pub advert_lifetime: Duration,
}

impl Default for ControlTimings {
    fn default() -> Self {
        Self {
            min_gap: Duration::from_millis(250),
            heartbeat: Duration::from_secs(1),
            node_silence: Duration::from_secs(3),
            gateway_silence: Duration::from_secs(5),
            write_timeout: Duration::from_secs(3),
            advert_refresh: Duration::from_secs(20),
            advert_lifetime: Duration::from_secs(60),
        }
    }
}
