//! Who may be a node of this gateway: the gateway's owner decides, this crate asks.

use std::fmt;
use std::sync::Arc;

use libp2p::PeerId;
use tokio::sync::watch;

/// Why a node is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAdmitted {
    /// What of the node it is about: `peer_id` or `operator`.
    pub field: &'static str,
    /// Why, and what its operator can do about it.
    pub reason: String,
}

/// Decides about nodes by what is known of them before any request: their key, and the operator that they name.
pub trait Admission: fmt::Debug + Send + Sync {
    /// Whether this node may be here and be paid under that name. None: it names nobody.
    ///
    /// # Errors
    /// `NotAdmitted`, which the node is told.
    fn admit(&self, node: PeerId, operator: Option<&str>) -> Result<(), NotAdmitted>;
}

/// The rules that hold now. When they change every node is judged again.
pub type Admissions = watch::Receiver<Arc<dyn Admission>>;

/// Takes everyone.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenToAll;

impl Admission for OpenToAll {
    fn admit(&self, _: PeerId, _: Option<&str>) -> Result<(), NotAdmitted> {
        Ok(())
    }
}

/// Rules that never change.
pub(crate) fn always(admission: impl Admission + 'static) -> Admissions {
    // A receiver whose sender is gone keeps the last value.
    watch::Sender::new(Arc::new(admission) as Arc<dyn Admission>).subscribe()
}
