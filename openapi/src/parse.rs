//! JSON bodies into typed requests, with errors that name the field.
//!
//! The common case parses once, straight from the bytes. Only a body that failed is parsed again with its path tracked,
//! which costs time that bad input may wait for. serde_json bounds nesting at 128 and refuses NaN, 1e400 and invalid
//! UTF-8 by itself.

use serde::de::DeserializeOwned;

use crate::ApiError;

/// Parses a JSON body.
///
/// # Errors
/// `InvalidRequest` with the path of the field at fault, or of none where the body is no JSON.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|plain| explain::<T>(body, &plain))
}

fn explain<T: DeserializeOwned>(body: &[u8], plain: &serde_json::Error) -> ApiError {
    if body.is_empty() {
        return ApiError::new(crate::ErrorKind::InvalidRequest, "The body is empty; send a JSON object.");
    }
    if let Err(utf8) = std::str::from_utf8(body) {
        let message = format!("The body is not valid UTF-8: byte {} begins no character.", utf8.valid_up_to());
        return ApiError::new(crate::ErrorKind::InvalidRequest, message);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let path = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(tracked) => tracked.path().to_string(),
        Ok(_) => String::new(),
    };
    let message = format!("The body is not a valid request: {plain}.");
    let error = ApiError::new(crate::ErrorKind::InvalidRequest, message);
    match missing_field(plain) {
        Some(field) if path == "." || path.is_empty() => error.at(field),
        Some(field) => error.at(format!("{path}.{field}")),
        None if path == "." || path.is_empty() => error,
        None => error.at(path),
    }
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
        let body = format!(r#"{{"model":"m","messages":[],"x":{}"#, "[".repeat(200_000));
        assert!(refusal(body.as_bytes()).to_string().contains("recursion limit"));
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
