//! A caller's wishes about who serves, in OpenRouter's words, which apps know.
//!
//! They are read here and followed by the gateway; nodes never see them.

mod preferences;
mod usd;

pub use preferences::{DataCollection, MaxPrice, ProviderPreferences, ProviderSort};
pub use usd::UsdPerMillion;

use crate::ApiError;

/// Models to fall back on, beside the first.
const MAX_MODELS: usize = 16;
/// Bytes of a model's name, as adverts have it, and a suffix.
const MAX_MODEL_BYTES: usize = 160;

/// Checks what every API that has them takes.
pub(crate) fn validate(provider: Option<&ProviderPreferences>, models: Option<&[String]>) -> Result<(), ApiError> {
    if let Some(provider) = provider {
        provider.validate()?;
    }
    let models = models.unwrap_or_default();
    if models.len() > MAX_MODELS {
        return Err(ApiError::invalid("models", format!("{} models; at most {MAX_MODELS}.", models.len())));
    }
    match models.iter().position(|model| model.is_empty() || model.len() > MAX_MODEL_BYTES) {
        Some(place) => {
            let message = format!("A model's name has 1 to {MAX_MODEL_BYTES} bytes.");
            Err(ApiError::invalid(format!("models[{place}]"), message))
        }
        None => Ok(()),
    }
}
