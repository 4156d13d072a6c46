//! What types alone cannot refuse, and the chat request does not know.

use super::CreateResponse;
use crate::ApiError;

/// Asks for log probabilities.
pub(super) const INCLUDE_LOGPROBS: &str = "message.output_text.logprobs";
/// Asks for thoughts that the caller cannot read. Sent by clients out of habit; it adds nothing here.
const INCLUDE_ENCRYPTED: &str = "reasoning.encrypted_content";
/// Notes of one response, as OpenAI has it.
const MAX_METADATA: usize = 16;
/// Characters of a note's key.
const MAX_METADATA_KEY: usize = 64;
/// Characters of a note.
const MAX_METADATA_VALUE: usize = 512;
/// Items of one request. Each costs work before any credit is held.
const MAX_ITEMS: usize = 4096;

impl CreateResponse {
    /// Checks what only this API has. `to_chat` checks the rest.
    ///
    /// # Errors
    /// `InvalidRequest` with the path of the field at fault.
    pub fn validate(&self) -> Result<(), ApiError> {
        self.validate_unsupported()?;
        if self.input.0.is_empty() {
            return Err(ApiError::invalid("input", "Send at least one item."));
        }
        if self.input.0.len() > MAX_ITEMS {
            let message = format!("{} items; at most {MAX_ITEMS} are read.", self.input.0.len());
            return Err(ApiError::invalid("input", message));
        }
        if self.is_background() && !self.is_stored() {
            let message = "A response made in the background must be stored to be read; leave `store` out.";
            return Err(ApiError::invalid("background", message));
        }
        self.validate_metadata()?;
        if self.user.as_ref().is_some_and(|user| user.len() > MAX_METADATA_VALUE) {
            return Err(ApiError::invalid("user", format!("`user` has at most {MAX_METADATA_VALUE} bytes.")));
        }
        self.validate_tools()?;
        self.validate_include()
    }

    fn validate_unsupported(&self) -> Result<(), ApiError> {
        let summary = self.reasoning.as_ref().and_then(|reasoning| reasoning.summary.as_deref());
        let refused = [
            ("prompt", self.prompt.is_some(), "Send `instructions` and `input`."),
            ("conversation", self.conversation.is_some(), "Send `previous_response_id`."),
            ("max_tool_calls", self.max_tool_calls.is_some(), "No tools run on the server."),
            (
                "truncation",
                self.truncation.as_deref().is_some_and(|how| how != "disabled"),
                "Only `disabled` is: a conversation too long for the model is refused.",
            ),
            (
                "reasoning.summary",
                summary.is_some_and(|kind| kind != "auto"),
                "Only `auto` is: thoughts are shown as they are.",
            ),
        ];
        match refused.into_iter().find(|(_, is_present, _)| *is_present) {
            Some((field, _, why)) => Err(ApiError::invalid(field, format!("This `{field}` is not supported. {why}"))),
            None => Ok(()),
        }
    }

    fn validate_metadata(&self) -> Result<(), ApiError> {
        let Some(metadata) = &self.metadata else { return Ok(()) };
        if metadata.len() > MAX_METADATA {
            let message = format!("{} pairs; at most {MAX_METADATA} are kept.", metadata.len());
            return Err(ApiError::invalid("metadata", message));
        }
        for (key, value) in metadata {
            if key.chars().count() > MAX_METADATA_KEY {
                let message = format!("A key of metadata has at most {MAX_METADATA_KEY} characters.");
                return Err(ApiError::invalid("metadata", message));
            }
            if value.chars().count() > MAX_METADATA_VALUE {
                let message = format!("A value of metadata has at most {MAX_METADATA_VALUE} characters.");
                return Err(ApiError::invalid(format!("metadata.{key}"), message));
            }
        }
        Ok(())
    }

    fn validate_tools(&self) -> Result<(), ApiError> {
        let tools = self.tools.as_deref().unwrap_or_default();
        match tools.iter().enumerate().find(|(_, tool)| tool.kind != "function") {
            Some((place, tool)) => {
                let message = format!("Tools of type `{}` are not supported; only `function` is.", tool.kind);
                Err(ApiError::invalid(format!("tools[{place}].type"), message))
            }
            None => Ok(()),
        }
    }

    fn validate_include(&self) -> Result<(), ApiError> {
        let include = self.include.as_deref().unwrap_or_default();
        match include.iter().position(|what| what != INCLUDE_LOGPROBS && what != INCLUDE_ENCRYPTED) {
            Some(place) => {
                let message = format!("Only `{INCLUDE_LOGPROBS}` can be added to a response.");
                Err(ApiError::invalid(format!("include[{place}]"), message))
            }
            None => Ok(()),
        }
    }
}
