//! JSON bodies into typed requests, with errors that name the field.
//!
//! The common case parses once, straight from the bytes. Only a body that failed is parsed again with its path tracked,
//! which costs time that bad input may wait for. serde_json refuses NaN, 1e400 and invalid UTF-8 by itself; it bounds
//! the nesting of the fields that are read, but not of those that are dropped, so depth is checked before it starts.

use serde::de::DeserializeOwned;

use crate::{ApiError, ErrorKind};

/// Objects and lists inside each other. Less than serde_json's own bound of 127, so that what was read can be read again
/// from inside something else.
const MAX_DEPTH: usize = 100;

/// Parses a JSON body.
///
/// # Errors
/// `InvalidRequest` with the path of the field at fault, or of none where the body is no JSON.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    if is_deeper_than(body, MAX_DEPTH) {
        let message = format!("The body nests objects and lists more than {MAX_DEPTH} deep.");
        return Err(ApiError::new(ErrorKind::InvalidRequest, message));
    }
    serde_json::from_slice(body).map_err(|plain| explain::<T>(body, &plain))
}

fn explain<T: DeserializeOwned>(body: &[u8], plain: &serde_json::Error) -> ApiError {
    if body.is_empty() {
        return ApiError::new(ErrorKind::InvalidRequest, "The body is empty; send a JSON object.");
    }
    if let Err(utf8) = std::str::from_utf8(body) {
        let message = format!("The body is not valid UTF-8: byte {} begins no character.", utf8.valid_up_to());
        return ApiError::new(ErrorKind::InvalidRequest, message);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let path = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(tracked) => tracked.path().to_string(),
        Ok(_) => String::new(),
    };
    // What the tracker prints for the body itself, and for a place between two fields.
    let is_whole_body = matches!(path.as_str(), "" | "." | "?");
    let message = format!("The body is not a valid request: {plain}.");
    let error = ApiError::new(ErrorKind::InvalidRequest, message);
    match missing_field(plain) {
        Some(field) if is_whole_body => error.at(field),
        Some(field) => error.at(format!("{path}.{field}")),
        None if is_whole_body => error,
        None => error.at(path),
    }
}

/// Whether brackets outside strings nest deeper than the bound. Malformed JSON is left to the parser.
fn is_deeper_than(body: &[u8], bound: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in body {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > bound {
            return true;
        }
    }
    false
}

/// The field's name where the error says that one is missing: its path ends at the object around it.
fn missing_field(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    let (_, rest) = text.split_once("missing field `")?;
    rest.split_once('`').map(|(field, _)| field.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ChatRequest;

    fn refusal(body: &[u8]) -> ApiError {
        json::<ChatRequest>(body).unwrap_err()
    }

    #[test]
    fn errors_name_the_field() {
        let cases: [(&str, Option<&str>); 9] = [
            (r#"{"messages":[]}"#, Some("model")),
            (r#"{"model":"m","messages":[{"content":"x"}]}"#, Some("messages[0].role")),
            (r#"{"model":"m","messages":[{"role":"king"}]}"#, Some("messages[0].role")),
            (r#"{"model":"m","messages":[{"role":"user","content":7}]}"#, Some("messages[0].content")),
            (r#"{"model":"m","messages":[],"temperature":"hot"}"#, Some("temperature")),
            (r#"{"model":"m","messages":[],"temperature":1e400}"#, Some("temperature")),
            (r#"{"model":"m","messages":[],"temperature":NaN}"#, Some("temperature")),
            (r#"{"model":"m","messages":[],"max_tokens":-1}"#, Some("max_tokens")),
            (r#"{"model":"m","#, None),
        ];
        for (body, param) in cases {
            assert_eq!(refusal(body.as_bytes()).param(), param, "{body}");
        }
    }

    #[test]
    fn deep_nesting_ends_at_a_bound() {
        let nested = |depth: usize| {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            format!(r#"{{"model":"m","messages":[],"x":{open}{close}}}"#)
        };
        assert!(json::<ChatRequest>(nested(99).as_bytes()).is_ok());
        assert!(refusal(nested(100).as_bytes()).to_string().contains("100 deep"));
        assert!(refusal(nested(1_000_000).as_bytes()).to_string().contains("100 deep"));
    }

    #[test]
    fn brackets_in_strings_are_no_nesting() {
        let body = format!(r#"{{"model":"{}\"","messages":[]}}"#, "[".repeat(500));
        assert!(json::<ChatRequest>(body.as_bytes()).is_ok());
    }

    #[test]
    fn invalid_utf8_is_named() {
        assert!(refusal(b"{\"model\":\"\xff\"}").to_string().contains("byte 10"));
    }

    #[test]
    fn unknown_fields_are_accepted_and_dropped() {
        let body =
            br#"{"model":"m","messages":[],"store":true,"metadata":{"a":"b"},"shell":"rm","stop":"x","tools":[]}"#;
        let request: ChatRequest = json(body).unwrap();
        let sent_on = serde_json::to_string(&request).unwrap();
        assert_eq!(sent_on, r#"{"model":"m","messages":[],"stop":["x"],"tools":[]}"#);
    }
}
