//! Who goes on with an answer whose node failed, as far as the meter needs to know.
//!
//! The meter knows what was delivered and what it cost; which nodes there are and how they are asked is not its affair.

use futures::future::BoxFuture;
use peerway_openapi::relay::Delivered;
use peerway_p2p::Candidate;

use super::{Cover, Seller};
use crate::dispatch::NodeAnswer;

/// What a node leaves behind.
#[derive(Debug)]
pub struct HandOver {
    /// The node that failed.
    pub failed: Candidate,
    /// What the caller has. None: nothing, so that any node may begin anew.
    pub delivered: Option<Delivered>,
    /// What the rest may cost.
    pub cover: Cover,
}

/// A node that goes on.
#[derive(Debug)]
pub struct Successor {
    /// The rest of the answer.
    pub answer: NodeAnswer,
    /// Who sells it.
    pub seller: Seller,
}

/// Nobody goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoSuccessor(pub String);

/// Finds who goes on.
pub trait Successors: std::fmt::Debug + Send {
    /// Finds a node and waits until it has begun. Dropping the future drops whatever it has asked.
    fn find(&mut self, hand_over: HandOver) -> BoxFuture<'static, Result<Successor, NoSuccessor>>;
}
