//! The embedding request, and what types alone cannot refuse.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::completions::{Prompt, Prompts};
use crate::routing::ProviderPreferences;
use crate::{ApiError, routing};

/// Texts of one request, as OpenAI has it.
const MAX_INPUTS: usize = 2048;

/// `POST /v1/embeddings`. Fields that are not listed, `user` among them, are accepted and dropped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingRequest {
    /// The catalog's id of a model.
    pub model: String,
    /// What to embed: 1 to 2048 texts, none of them empty.
    pub input: Prompts,
    /// How the vectors are written. None: `float`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding_format: Option<EncodingFormat>,
    /// Numbers of each vector, at least 1, for models that can shorten theirs. None: as many as the model has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<u32>,
    /// Wishes about the nodes that serve. None: the cheapest healthy one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderPreferences>,
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EncodingFormat {
    /// A list of numbers.
    #[default]
    Float,
    /// Little-endian 32-bit floats, in base64; a third of the size.
    Base64,
}

impl EmbeddingRequest {
    /// How the vectors are to be written.
    #[must_use]
    pub fn format(&self) -> EncodingFormat {
        self.encoding_format.unwrap_or_default()
    }

    /// Checks every bound that a documented field has.
    ///
    /// # Errors
    /// `InvalidRequest` with the path of the field at fault.
    pub fn validate(&self) -> Result<(), ApiError> {
        if self.model.is_empty() {
            return Err(ApiError::invalid("model", "Name a model; GET /v1/models lists them."));
        }
        let inputs = &self.input.0;
        if inputs.is_empty() {
            return Err(ApiError::invalid("input", "Send at least one text, of at least one token."));
        }
        if inputs.len() > MAX_INPUTS {
            return Err(ApiError::invalid("input", format!("{} texts; at most {MAX_INPUTS}.", inputs.len())));
        }
        if let Some(place) = inputs.iter().position(Prompt::is_empty) {
            // A text that came by itself has no place in a list.
            let field = if inputs.len() == 1 { "input".to_owned() } else { format!("input[{place}]") };
            return Err(ApiError::invalid(field, "An empty text has no embedding."));
        }
        if self.dimensions == Some(0) {
            return Err(ApiError::invalid("dimensions", "A vector has at least one dimension."));
        }
        routing::validate(self.provider.as_ref(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn refused(fields: &str) -> Option<String> {
        let body = format!(r#"{{"model":"m",{fields}}}"#);
        let checked = parse::json(body.as_bytes()).and_then(|request: EmbeddingRequest| request.validate());
        checked.err().map(|error| error.param().unwrap_or_default().to_owned())
    }

    #[test]
    fn bounds_are_kept_and_named() {
        let cases = [
            (r#""model_":1"#, "input"),
            (r#""input":null"#, "input"),
            (r#""input":{"text":"a"}"#, "input"),
            (r#""input":[]"#, "input"),
            (r#""input":"""#, "input"),
            (r#""input":["a",""]"#, "input[1]"),
            (r#""input":[[1],[]]"#, "input[1]"),
            (r#""input":["a",1]"#, "input[1]"),
            (r#""input":"a","dimensions":0"#, "dimensions"),
            (r#""input":"a","dimensions":-1"#, "dimensions"),
            (r#""input":"a","encoding_format":"int8""#, "encoding_format"),
        ];
        for (fields, field) in cases {
            assert_eq!(refused(fields).as_deref(), Some(field), "{fields}");
        }
        let unnamed = EmbeddingRequest { input: "a".into(), ..EmbeddingRequest::default() };
        assert_eq!(unnamed.validate().unwrap_err().param(), Some("model"));
    }

    #[test]
    fn inputs_have_a_bound() {
        let of = |inputs: usize| format!(r#""input":{}"#, serde_json::json!(vec!["a"; inputs]));
        assert_eq!(refused(&of(2048)), None);
        assert_eq!(refused(&of(2049)).as_deref(), Some("input"));
    }

    #[test]
    fn what_clients_send_is_accepted() {
        for fields in [
            r#""input":"a""#,
            r#""input":["a","b"],"encoding_format":"base64","dimensions":256,"user":"x""#,
            r#""input":[1,2],"encoding_format":"float""#,
            r#""input":[[1,2],[3]],"encoding_format":null,"dimensions":null"#,
        ] {
            assert_eq!(refused(fields), None, "{fields}");
        }
    }
}
