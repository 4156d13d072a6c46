//! What is not passed on, because the upstream would not follow it or would leave it out without a word.
//!
//! A server behind a node does not say what it can do. So it is believed to follow what such servers usually follow, and
//! its operator says what more it can: pictures, recordings, how long to think.

use peerway_openapi::chat::{ChatRequest, ReasoningEffort, ResponseFormat};

use super::super::{EngineError, ModelInfo, capability, media};

/// Refuses, by name, what the upstream is not known to follow.
pub(super) fn chat(request: &ChatRequest, model: &ModelInfo) -> Result<(), EngineError> {
    media::refuse(request, model.can(capability::IMAGE_INPUT), model.can(capability::AUDIO_INPUT))?;
    format(request.response_format.as_ref())?;
    match request.reasoning_effort {
        None | Some(ReasoningEffort::None) => Ok(()),
        Some(_) if model.can(capability::REASONING_EFFORT) => Ok(()),
        Some(_) => Err(EngineError::bad_param("reasoning_effort", "This model does not think before it answers.")),
    }
}

/// Servers have regular expressions and grammars under names of their own, if at all.
pub(super) fn format(format: Option<&ResponseFormat>) -> Result<(), EngineError> {
    let (field, what) = match format {
        Some(ResponseFormat::Regex { .. }) => ("response_format.regex", "regular expressions"),
        Some(ResponseFormat::Grammar { .. }) => ("response_format.grammar", "grammars"),
        _ => return Ok(()),
    };
    Err(EngineError::bad_param(field, format!("This node does not hold answers to {what}.")))
}
