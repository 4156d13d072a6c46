//! What a gateway adds to a request: to be told token ids, or to go on with an answer of another node.

use peerway_openapi::ApiError;
use peerway_openapi::relay::ForNode;

use crate::engine::{Engine, capability};

/// The field at fault where an answer cannot be gone on with.
const RESUME: &str = "peerway.resume";

/// What an engine gets of it: nothing, where its model does not know it.
///
/// # Errors
/// Where it asks to go on with an answer, and that cannot be done exactly.
pub(super) fn taken(
    added: Option<ForNode>,
    engine: &dyn Engine,
    model: &str,
    choices: u32,
) -> Result<Option<ForNode>, ApiError> {
    let Some(added) = added else { return Ok(None) };
    let can = engine.models().iter().any(|known| known.id == model && known.can(capability::RESUME));
    match &added.resume {
        Some(_) if !can => Err(ApiError::invalid(RESUME, "This node does not go on with answers of others.")),
        Some(_) if choices != 1 => Err(ApiError::invalid(RESUME, "Only a single answer can be gone on with.")),
        _ => Ok(can.then_some(added)),
    }
}
