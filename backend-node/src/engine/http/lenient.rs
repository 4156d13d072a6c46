//! Reading what servers send that is not quite OpenAI's.
//!
//! vLLM tells in `stop_reason` at which stop text an answer ended, and where it ended at a token it tells the token's
//! number. A caller has no use for that, and a type for both would reach every caller. So an answer that cannot be read
//! is read once more without such numbers: what is usual costs nothing.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads an answer or a chunk. The error is that of the first reading.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes).or_else(|error| {
        let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else { return Err(error) };
        let choices = value.get_mut("choices").and_then(Value::as_array_mut);
        for choice in choices.into_iter().flatten().filter_map(Value::as_object_mut) {
            choice.retain(|field, value| field != "stop_reason" || value.is_string());
        }
        serde_json::from_value(value).map_err(|_still_unreadable| error)
    })
}

#[cfg(test)]
mod tests {
    use peerway_openapi::chat::ChatChunk;

    use super::*;

    fn chunk(stop_reason: &str) -> Result<ChatChunk, serde_json::Error> {
        let text = format!(
            r#"{{"id":"c","created":1,"model":"m","choices":[{{"index":0,"delta":{{}},"finish_reason":"stop",
                "stop_reason":{stop_reason}}}]}}"#
        );
        read(text.as_bytes())
    }

    #[test]
    fn a_stop_text_is_told_and_a_token_is_not() {
        assert_eq!(chunk(r#""END""#).unwrap().choices[0].stop_reason.as_deref(), Some("END"));
        for other in ["151643", "null", "[1]"] {
            assert_eq!(chunk(other).unwrap().choices[0].stop_reason, None, "{other}");
        }
        assert!(read::<ChatChunk>(b"{}").is_err());
    }
}
