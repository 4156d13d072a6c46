//! What types alone cannot refuse.

use super::{ChatRequest, Content, ContentPart, Message, ResponseFormat, Role, Verbosity};
use crate::{ApiError, relay, routing};

/// Messages of one conversation. A request is refused past it, because each costs work before any credit is held.
const MAX_MESSAGES: usize = 4096;
/// Stop texts, as OpenAI has it.
const MAX_STOPS: usize = 4;
/// Bytes of one stop text.
const MAX_STOP_BYTES: usize = 1024;
/// Tools of one request, as OpenAI has it.
const MAX_TOOLS: usize = 128;
/// Answers of one request, as OpenAI has it.
pub(crate) const MAX_CHOICES: u32 = 128;
/// Bytes of a regular expression or a grammar.
const MAX_GRAMMAR: usize = 16 << 10;
/// Entries of `logit_bias`, as OpenAI has it.
const MAX_BIASES: usize = 1024;

impl ChatRequest {
    /// Checks every bound that a documented field has.
    ///
    /// # Errors
    /// `InvalidRequest` with the path of the field at fault.
    pub fn validate(&self) -> Result<(), ApiError> {
        if self.model.is_empty() {
            return Err(ApiError::invalid("model", "Name a model; GET /v1/models lists them."));
        }
        self.validate_messages()?;
        self.validate_sampling()?;
        self.validate_stops()?;
        self.validate_tools()?;
        self.validate_format()?;
        self.validate_unsupported()?;
        routing::validate(self.provider.as_ref(), self.models.as_deref())?;
        self.validate_shape()
    }

    fn validate_messages(&self) -> Result<(), ApiError> {
        if self.messages.is_empty() {
            return Err(ApiError::invalid("messages", "Send at least one message."));
        }
        if self.messages.len() > MAX_MESSAGES {
            let message = format!("{} messages; at most {MAX_MESSAGES} are read.", self.messages.len());
            return Err(ApiError::invalid("messages", message));
        }
        self.messages.iter().enumerate().try_for_each(|(place, message)| validate_message(place, message))
    }

    pub(crate) fn validate_sampling(&self) -> Result<(), ApiError> {
        within("temperature", self.temperature, 0.0, 2.0)?;
        within("top_p", self.top_p, 0.0, 1.0)?;
        within("min_p", self.min_p, 0.0, 1.0)?;
        within("frequency_penalty", self.frequency_penalty.map(f64::from), -2.0, 2.0)?;
        within("presence_penalty", self.presence_penalty.map(f64::from), -2.0, 2.0)?;
        within("repetition_penalty", self.repetition_penalty.map(f64::from), 0.01, 2.0)?;
        if self.top_p == Some(0.0) {
            return Err(ApiError::invalid("top_p", "top_p must be above 0."));
        }
        if self.top_k == Some(0) {
            return Err(ApiError::invalid(
                "top_k",
                "top_k must be at least 1; leave it out to choose from all tokens.",
            ));
        }
        let Some(biases) = &self.logit_bias else { return Ok(()) };
        if biases.len() > MAX_BIASES {
            return Err(ApiError::invalid("logit_bias", format!("At most {MAX_BIASES} tokens can be biased.")));
        }
        for (token, bias) in biases {
            let field = format!("logit_bias.{token}");
            if token.parse::<u32>().is_err() {
                return Err(ApiError::invalid(field, "The keys of logit_bias are token ids."));
            }
            within(&field, Some(f64::from(*bias)), -100.0, 100.0)?;
        }
        Ok(())
    }

    pub(crate) fn validate_stops(&self) -> Result<(), ApiError> {
        let Some(stop) = &self.stop else { return Ok(()) };
        if stop.0.len() > MAX_STOPS {
            return Err(ApiError::invalid("stop", format!("{} stop texts; at most {MAX_STOPS}.", stop.0.len())));
        }
        let unusable = stop.0.iter().position(|text| text.is_empty() || text.len() > MAX_STOP_BYTES);
        match unusable {
            Some(place) => {
                let message = format!("A stop text has 1 to {MAX_STOP_BYTES} bytes.");
                Err(ApiError::invalid(format!("stop[{place}]"), message))
            }
            None => Ok(()),
        }
    }

    fn validate_tools(&self) -> Result<(), ApiError> {
        let tools = self.tools.as_deref().unwrap_or_default();
        if tools.len() > MAX_TOOLS {
            return Err(ApiError::invalid("tools", format!("{} tools; at most {MAX_TOOLS}.", tools.len())));
        }
        for (place, tool) in tools.iter().enumerate() {
            let name = &tool.function.name;
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
                let message = "A function's name has 1 to 64 letters, digits, underscores or dashes.";
                return Err(ApiError::invalid(format!("tools[{place}].function.name"), message));
            }
        }
        if let Some(super::ToolChoice::Named(named)) = &self.tool_choice
            && !tools.iter().any(|tool| tool.function.name == named.function.name)
        {
            let message = format!("`{}` is not among the tools of this request.", named.function.name);
            return Err(ApiError::invalid("tool_choice", message));
        }
        Ok(())
    }

    pub(crate) fn validate_format(&self) -> Result<(), ApiError> {
        let (field, text) = match &self.response_format {
            Some(ResponseFormat::Regex { regex }) => ("response_format.regex", regex),
            Some(ResponseFormat::Grammar { grammar }) => ("response_format.grammar", grammar),
            Some(ResponseFormat::JsonSchema { json_schema }) if json_schema.schema.is_none() => {
                return Err(ApiError::invalid("response_format.json_schema.schema", "The schema is missing."));
            }
            _ => return Ok(()),
        };
        if text.is_empty() || text.len() > MAX_GRAMMAR {
            return Err(ApiError::invalid(field, format!("Send 1 to {MAX_GRAMMAR} bytes.")));
        }
        Ok(())
    }

    /// What OpenAI documents and no node here can do. Left out silently, it would change the answer.
    fn validate_unsupported(&self) -> Result<(), ApiError> {
        let refused = [
            ("audio", self.audio.is_some(), "Answers are text."),
            ("functions", self.functions.is_some(), "Send `tools`, which replaced it."),
            ("function_call", self.function_call.is_some(), "Send `tool_choice`, which replaced it."),
            ("web_search_options", self.web_search_options.is_some(), "No node searches the web."),
            (relay::FIELD, self.peerway.is_some(), "It is what gateways say to nodes."),
            ("modalities", self.modalities.as_ref().is_some_and(|kinds| *kinds != ["text"]), "Answers are text."),
            (
                "verbosity",
                self.verbosity.is_some_and(|verbosity| verbosity != Verbosity::Medium),
                "Only `medium` is followed; ask for it in a message.",
            ),
        ];
        match refused.into_iter().find(|(_, is_present, _)| *is_present) {
            Some((field, _, why)) => Err(ApiError::invalid(field, format!("`{field}` is not supported. {why}"))),
            None => Ok(()),
        }
    }

    fn validate_shape(&self) -> Result<(), ApiError> {
        if let Some(limit) = self.max_generated()
            && limit.tokens == 0
        {
            return Err(ApiError::invalid(limit.field, "Ask for at least one token."));
        }
        if !(1..=MAX_CHOICES).contains(&self.choices()) {
            return Err(ApiError::invalid("n", format!("n is {}; it must be 1 to {MAX_CHOICES}.", self.choices())));
        }
        if self.top_logprobs.is_some_and(|top| top > 20) {
            return Err(ApiError::invalid("top_logprobs", "top_logprobs is 0 to 20."));
        }
        if self.top_logprobs.is_some() && self.logprobs != Some(true) {
            return Err(ApiError::invalid("top_logprobs", "top_logprobs needs logprobs: true."));
        }
        if self.stream_options.is_some() && !self.is_stream() {
            return Err(ApiError::invalid("stream_options", "stream_options needs stream: true."));
        }
        Ok(())
    }
}

fn validate_message(place: usize, message: &Message) -> Result<(), ApiError> {
    let field = || format!("messages[{place}].content");
    match &message.content {
        Some(Content::Parts(parts)) if parts.is_empty() => {
            Err(ApiError::invalid(field(), "A list of content parts has at least one."))
        }
        Some(Content::Parts(parts)) => {
            let wrong =
                parts.iter().enumerate().find_map(|(part, content)| Some((part, misplaced(message.role, content)?)));
            match wrong {
                None => Ok(()),
                Some((part, (below, why))) => {
                    Err(ApiError::invalid(format!("messages[{place}].content[{part}]{below}"), why))
                }
            }
        }
        Some(Content::Text(_)) => Ok(()),
        None if message.role == Role::Assistant => Ok(()),
        None => Err(ApiError::invalid(field(), "Only an assistant's message can be without content.")),
    }
}

/// What is wrong with a content part in a message of this role: where below the part, and why.
fn misplaced(role: Role, part: &ContentPart) -> Option<(&'static str, &'static str)> {
    match part {
        ContentPart::Text { .. } => None,
        ContentPart::Refusal { .. } => {
            (role != Role::Assistant).then_some(("", "Only an assistant's message can hold a refusal."))
        }
        ContentPart::File { .. } => Some(("", "Files are not supported; send their text.")),
        ContentPart::ImageUrl { .. } | ContentPart::InputAudio { .. } if role != Role::User => {
            Some(("", "Only a user's message can hold pictures and recordings."))
        }
        ContentPart::ImageUrl { image_url } => match image_url.detail.as_deref() {
            None | Some("auto" | "low" | "high") => None,
            Some(_) => Some((".image_url.detail", "detail is `auto`, `low` or `high`.")),
        },
        ContentPart::InputAudio { input_audio } => match input_audio.format.as_str() {
            "wav" | "mp3" => None,
            _ => Some((".input_audio.format", "format is `wav` or `mp3`.")),
        },
    }
}

fn within(field: &str, value: Option<f64>, least: f64, most: f64) -> Result<(), ApiError> {
    match value {
        Some(value) if !(least..=most).contains(&value) => {
            Err(ApiError::invalid(field, format!("{field} is {value}; it must be {least} to {most}.")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: &str) -> Option<String> {
        let mut body = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        let change: serde_json::Map<String, serde_json::Value> = serde_json::from_str(change).unwrap();
        body.as_object_mut().unwrap().extend(change);
        let request: ChatRequest = serde_json::from_value(body).unwrap();
        request.validate().err().and_then(|error| error.param().map(str::to_owned))
    }

    #[test]
    fn bounds_are_kept_and_named() {
        let cases = [
            (r#"{"model":""}"#, "model"),
            (r#"{"messages":[]}"#, "messages"),
            (r#"{"messages":[{"role":"user"}]}"#, "messages[0].content"),
            (r#"{"messages":[{"role":"user","content":[]}]}"#, "messages[0].content"),
            (
                r#"{"messages":[{"role":"user","content":[{"type":"refusal","refusal":"no"}]}]}"#,
                "messages[0].content[0]",
            ),
            (r#"{"temperature":2.1}"#, "temperature"),
            (r#"{"temperature":-0.1}"#, "temperature"),
            (r#"{"top_p":0}"#, "top_p"),
            (r#"{"top_k":0}"#, "top_k"),
            (r#"{"min_p":1.5}"#, "min_p"),
            (r#"{"presence_penalty":3}"#, "presence_penalty"),
            (r#"{"logit_bias":{"x":1}}"#, "logit_bias.x"),
            (r#"{"logit_bias":{"5":101}}"#, "logit_bias.5"),
            (r#"{"stop":["a","b","c","d","e"]}"#, "stop"),
            (r#"{"stop":["a",""]}"#, "stop[1]"),
            (r#"{"max_tokens":0}"#, "max_tokens"),
            (r#"{"max_tokens":5,"max_completion_tokens":0}"#, "max_completion_tokens"),
            (r#"{"n":0}"#, "n"),
            (r#"{"n":129}"#, "n"),
            (r#"{"functions":[]}"#, "functions"),
            (r#"{"provider":{"only":[]}}"#, "provider.only"),
            (r#"{"models":["a",""]}"#, "models[1]"),
            (r#"{"audio":{"voice":"x"}}"#, "audio"),
            (r#"{"modalities":["audio"]}"#, "modalities"),
            (r#"{"verbosity":"high"}"#, "verbosity"),
            (r#"{"peerway":{"resume":{"text":"x"}}}"#, "peerway"),
            (r#"{"response_format":{"type":"regex","regex":""}}"#, "response_format.regex"),
            (
                r#"{"response_format":{"type":"json_schema","json_schema":{"name":"x"}}}"#,
                "response_format.json_schema.schema",
            ),
            (r#"{"messages":[{"role":"user","content":[{"type":"file","file":{}}]}]}"#, "messages[0].content[0]"),
            (
                r#"{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"","format":"x"}}]}]}"#,
                "messages[0].content[0].input_audio.format",
            ),
            (r#"{"logprobs":true,"top_logprobs":21}"#, "top_logprobs"),
            (r#"{"top_logprobs":2}"#, "top_logprobs"),
            (r#"{"stream_options":{"include_usage":true}}"#, "stream_options"),
            (r#"{"tools":[{"type":"function","function":{"name":"a b"}}]}"#, "tools[0].function.name"),
            (r#"{"tool_choice":{"type":"function","function":{"name":"f"}}}"#, "tool_choice"),
        ];
        for (change, field) in cases {
            assert_eq!(refused(change).as_deref(), Some(field), "{change}");
        }
    }

    #[test]
    fn what_clients_send_by_habit_is_accepted() {
        let habits = [
            r#"{"temperature":0,"top_p":1,"n":1,"stop":null,"seed":null,"logprobs":null,"tools":[]}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            r#"{"messages":[{"role":"developer","content":"x"},{"role":"assistant","tool_calls":[]}]}"#,
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}"#,
            r#"{"n":128,"verbosity":"medium","modalities":["text"],"audio":null,"store":true,"metadata":{"a":"b"}}"#,
            r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}}]}]}"#,
            r#"{"tool_choice":"auto","response_format":{"type":"text"},"parallel_tool_calls":true}"#,
        ];
        for habit in habits {
            assert_eq!(refused(habit), None, "{habit}");
        }
    }
}
