//! A chat template that the operator gives.
//!
//! mistral.rs reads the file itself, and panics where it cannot. So the file is looked at before the model is loaded, and
//! tried on a conversation after: only then is there something to render it with.

use std::path::Path;

use super::LoadError;
use super::prompt::Prompt;
use super::tokens::Tokenizer;

/// Bytes of a template; the longest in use have some twenty thousand.
const MAX_TEMPLATE: u64 = 1 << 20;

fn fault(path: &Path, reason: impl std::fmt::Display) -> LoadError {
    LoadError::new(format!("--chat-template {}: {reason}", path.display()))
}

/// Looks at the file.
pub(super) fn inspect(path: &Path) -> Result<(), LoadError> {
    // By this ending mistral.rs tells a template from its other kind of file.
    if path.extension().is_none_or(|extension| extension != "jinja") {
        return Err(fault(path, "its name must end with .jinja"));
    }
    let metadata = std::fs::metadata(path).map_err(|error| fault(path, error))?;
    if metadata.len() > MAX_TEMPLATE {
        return Err(fault(path, format_args!("it has more than {MAX_TEMPLATE} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fault(path, error))?;
    if !text.contains("messages") {
        return Err(fault(path, "it is no chat template: it does not speak of `messages`"));
    }
    Ok(())
}

/// Renders a conversation with it.
pub(super) async fn try_out(tokenizer: &Tokenizer, path: &Path) -> Result<(), LoadError> {
    match tokenizer.read(Prompt::Chat(Prompt::probe())).await {
        Ok(tokens) if tokens.is_empty() => Err(fault(path, "it renders a conversation as nothing")),
        Ok(_tokens) => Ok(()),
        Err(error) => Err(fault(path, error)),
    }
}
