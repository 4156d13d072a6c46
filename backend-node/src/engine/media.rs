//! Pictures and recordings in messages.

use peerway_openapi::chat::{ChatRequest, Content, ContentPart};

use super::EngineError;

/// Refuses the first part that the model cannot take in, by its place.
pub(super) fn refuse(request: &ChatRequest, takes_images: bool, takes_audio: bool) -> Result<(), EngineError> {
    for (place, message) in request.messages.iter().enumerate() {
        let Some(Content::Parts(parts)) = &message.content else { continue };
        for (part, content) in parts.iter().enumerate() {
            let why = match content {
                ContentPart::ImageUrl { .. } if !takes_images => "This node shows its model no pictures.",
                ContentPart::InputAudio { .. } if !takes_audio => "This node plays its model no recordings.",
                _ => continue,
            };
            return Err(EngineError::bad_param(format!("messages[{place}].content[{part}]"), why));
        }
    }
    Ok(())
}
