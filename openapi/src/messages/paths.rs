//! Errors found in the chat request that a messages request became, told in the terms of the latter.

use super::MessagesRequest;
use super::lines::{Line, lines};
use crate::ApiError;

impl MessagesRequest {
    /// An error whose path is of the chat request, naming the caller's own field.
    #[must_use]
    pub fn in_own_terms(&self, error: ApiError) -> ApiError {
        match error.param().map(|path| self.own_path(path)) {
            Some(path) => error.at(path),
            None => error,
        }
    }

    fn own_path(&self, path: &str) -> String {
        let (head, rest) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
        match head {
            "messages" => self.own_message_path(rest).unwrap_or_else(|| head.to_owned()),
            "max_completion_tokens" => "max_tokens".to_owned(),
            "stop" => format!("stop_sequences{rest}"),
            "tools" => {
                format!("tools{}", rest.replace(".function.parameters", ".input_schema").replace(".function", ""))
            }
            "tool_choice" if self.tool_choice.as_ref().is_some_and(|choice| choice.name.is_some()) => {
                "tool_choice.name".to_owned()
            }
            "response_format" => format!("output_config.format{}", rest.replace(".json_schema", "")),
            "reasoning_effort" if self.thinking.is_some() => "thinking".to_owned(),
            "reasoning_effort" => "output_config.effort".to_owned(),
            _ => path.to_owned(),
        }
    }

    /// `rest` follows the chat's `messages`. None where it names no message.
    fn own_message_path(&self, rest: &str) -> Option<String> {
        let (place, below) = place(rest)?;
        let line: Line = lines(self).ok()?.into_iter().nth(place)?;
        if let Some((part, below)) = below.strip_prefix(".content").and_then(self::place) {
            let block = line.parts.get(part)?;
            return Some(if below.starts_with(".image_url") { format!("{block}.source") } else { block.clone() });
        }
        let has_content = below.starts_with(".content") && line.at != "system";
        Some(if has_content { line.at + ".content" } else { line.at })
    }
}

/// `[3].x` is 3 and `.x`.
fn place(path: &str) -> Option<(usize, &str)> {
    let (place, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((place.parse().ok()?, rest))
}
