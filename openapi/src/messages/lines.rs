//! Turns into the messages of a chat, each with where it came from.
//!
//! One turn can be several messages: results of tools are messages of their own in a chat, and come before what else the
//! turn says, as the template of every model wants it. Where a message came from is kept, so that an error found later,
//! in the chat's terms, can be told in the caller's.

use super::{Block, ImageSource, MessagesRequest, Turn, TurnContent, TurnRole};
use crate::ApiError;
use crate::chat::{Content, ContentPart, FunctionCall, ImageUrl, Message, Role, ToolCall, ToolKind};

/// Pictures that models here are given, as Anthropic has it.
const MEDIA_TYPES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];
/// What a tool's message says whose result is nothing but pictures: no template has a place for them there.
const SEE_BELOW: &str = "The result is the picture that follows.";

/// A message of a chat, and where it came from.
#[derive(Debug)]
pub(super) struct Line {
    /// The message.
    pub(super) message: Message,
    /// The turn or the block that it was.
    pub(super) at: String,
    /// The block that each of its parts was.
    pub(super) parts: Vec<String>,
}

/// All messages of a request, the instructions first.
///
/// # Errors
/// `InvalidRequest` with the path of the turn or block at fault.
pub(super) fn lines(request: &MessagesRequest) -> Result<Vec<Line>, ApiError> {
    let mut lines = Vec::new();
    if let Some(system) = &request.system {
        let message = Message::text(Role::System, instructions(system)?);
        lines.push(Line { message, at: "system".to_owned(), parts: Vec::new() });
    }
    for (place, turn) in request.messages.iter().enumerate() {
        add_turn(&mut lines, turn, format!("messages[{place}]"))?;
    }
    Ok(lines)
}

fn instructions(system: &TurnContent) -> Result<String, ApiError> {
    let blocks = match system {
        TurnContent::Text(text) => return Ok(text.clone()),
        TurnContent::Blocks(blocks) => blocks,
    };
    let texts = blocks.iter().enumerate().map(|(place, block)| match block.kind.as_str() {
        "text" => block.text(&format!("system[{place}]")),
        kind => Err(misplaced(&format!("system[{place}]"), kind, "Instructions are text.")),
    });
    Ok(texts.collect::<Result<Vec<_>, _>>()?.join("\n\n"))
}

fn add_turn(lines: &mut Vec<Line>, turn: &Turn, at: String) -> Result<(), ApiError> {
    let blocks = match (&turn.content, turn.role) {
        (TurnContent::Text(text), role) => {
            let role = if role == TurnRole::User { Role::User } else { Role::Assistant };
            lines.push(Line { message: Message::text(role, text), at, parts: Vec::new() });
            return Ok(());
        }
        (TurnContent::Blocks(blocks), _) if blocks.is_empty() => {
            return Err(ApiError::invalid(format!("{at}.content"), "A list of content blocks has at least one."));
        }
        (TurnContent::Blocks(blocks), _) => blocks,
    };
    match turn.role {
        TurnRole::User => add_user(lines, blocks, at),
        TurnRole::Assistant => add_assistant(lines, blocks, at),
    }
}

fn add_user(lines: &mut Vec<Line>, blocks: &[Block], at: String) -> Result<(), ApiError> {
    let (mut parts, mut origins) = (Vec::new(), Vec::new());
    for (place, block) in blocks.iter().enumerate() {
        let at = format!("{at}.content[{place}]");
        match block.kind.as_str() {
            "text" => {
                parts.push(ContentPart::Text { text: block.text(&at)? });
                origins.push(at);
            }
            "image" => {
                parts.push(block.picture(&at)?);
                origins.push(at);
            }
            "tool_result" => add_result(lines, block, at, (&mut parts, &mut origins))?,
            "thinking" | "redacted_thinking" | "tool_use" => {
                return Err(misplaced(&at, &block.kind, "Only an assistant's message can hold it."));
            }
            kind => return Err(unknown(&at, kind)),
        }
    }
    if parts.is_empty() {
        return Ok(());
    }
    let mut message = Message::text(Role::User, "");
    message.content = Some(match parts.as_slice() {
        [ContentPart::Text { text }] => Content::Text(text.clone()),
        _ => Content::Parts(parts),
    });
    lines.push(Line { message, at, parts: origins });
    Ok(())
}

/// A tool's result as a message of its own. Its pictures go to what the user says after it.
fn add_result(
    lines: &mut Vec<Line>,
    block: &Block,
    at: String,
    (parts, origins): (&mut Vec<ContentPart>, &mut Vec<String>),
) -> Result<(), ApiError> {
    let (mut text, mut has_pictures) = (String::new(), false);
    match &block.content {
        None => {}
        Some(TurnContent::Text(all)) => text.push_str(all),
        Some(TurnContent::Blocks(blocks)) => {
            for (place, block) in blocks.iter().enumerate() {
                let at = format!("{at}.content[{place}]");
                match block.kind.as_str() {
                    "text" => text.push_str(&block.text(&at)?),
                    "image" => {
                        parts.push(block.picture(&at)?);
                        origins.push(at);
                        has_pictures = true;
                    }
                    kind => return Err(misplaced(&at, kind, "A tool's result is text and pictures.")),
                }
            }
        }
    }
    if text.is_empty() && has_pictures {
        SEE_BELOW.clone_into(&mut text);
    }
    if block.is_error == Some(true) {
        text.insert_str(0, "Error: ");
    }
    let tool_call_id = Some(required(block.tool_use_id.as_ref(), &at, "tool_use_id")?);
    let message = Message { tool_call_id, ..Message::text(Role::Tool, text) };
    lines.push(Line { message, at, parts: Vec::new() });
    Ok(())
}

fn add_assistant(lines: &mut Vec<Line>, blocks: &[Block], at: String) -> Result<(), ApiError> {
    let (mut text, mut calls) = (String::new(), Vec::new());
    for (place, block) in blocks.iter().enumerate() {
        let at = format!("{at}.content[{place}]");
        match block.kind.as_str() {
            "text" => text.push_str(&block.text(&at)?),
            "tool_use" => calls.push(block.call(&at)?),
            // Templates leave out earlier thoughts, as Anthropic's own models do.
            "thinking" | "redacted_thinking" => {}
            "image" | "tool_result" => {
                return Err(misplaced(&at, &block.kind, "Only a user's message can hold it."));
            }
            kind => return Err(unknown(&at, kind)),
        }
    }
    let mut message = Message::text(Role::Assistant, text.as_str());
    if !calls.is_empty() {
        message.content = message.content.filter(|_| !text.is_empty());
        message.tool_calls = Some(calls);
    }
    lines.push(Line { message, at, parts: Vec::new() });
    Ok(())
}

impl Block {
    fn text(&self, at: &str) -> Result<String, ApiError> {
        required(self.text.as_ref(), at, "text")
    }

    fn picture(&self, at: &str) -> Result<ContentPart, ApiError> {
        let url = required(self.source.as_ref(), at, "source")?.url(&format!("{at}.source"))?;
        Ok(ContentPart::ImageUrl { image_url: ImageUrl { url, detail: None } })
    }

    fn call(&self, at: &str) -> Result<ToolCall, ApiError> {
        let input = required(self.input.as_ref(), at, "input")?;
        let arguments = serde_json::Value::Object(input).to_string();
        let function = FunctionCall { name: required(self.name.as_ref(), at, "name")?, arguments };
        Ok(ToolCall { id: required(self.id.as_ref(), at, "id")?, kind: ToolKind::Function, function })
    }
}

impl ImageSource {
    fn url(&self, at: &str) -> Result<String, ApiError> {
        match self.kind.as_str() {
            "url" => required(self.url.as_ref(), at, "url"),
            "base64" => {
                let media_type = required(self.media_type.as_ref(), at, "media_type")?;
                if !MEDIA_TYPES.contains(&media_type.as_str()) {
                    let message = format!("A picture is one of {}.", MEDIA_TYPES.join(", "));
                    return Err(ApiError::invalid(format!("{at}.media_type"), message));
                }
                Ok(format!("data:{media_type};base64,{}", required(self.data.as_ref(), at, "data")?))
            }
            kind => {
                let message = format!("`{kind}` is not supported; a source is `base64` or `url`.");
                Err(ApiError::invalid(format!("{at}.type"), message))
            }
        }
    }
}

fn required<T: Clone>(value: Option<&T>, at: &str, field: &str) -> Result<T, ApiError> {
    value.cloned().ok_or_else(|| ApiError::invalid(format!("{at}.{field}"), format!("`{field}` is missing.")))
}

fn misplaced(at: &str, kind: &str, why: &str) -> ApiError {
    ApiError::invalid(format!("{at}.type"), format!("`{kind}` has no place here. {why}"))
}

fn unknown(at: &str, kind: &str) -> ApiError {
    let known = "A block is `text`, `image`, `tool_use`, `tool_result` or `thinking`.";
    ApiError::invalid(format!("{at}.type"), format!("`{kind}` is not supported. {known}"))
}
