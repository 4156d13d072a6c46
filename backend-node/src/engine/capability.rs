//! What some engines can do and others cannot.
//!
//! Most names are those of the request's fields that an engine follows; the rest say which kinds of requests it takes. An
//! advert has room for some of them, so what every engine follows is not advertised.

/// What every engine follows that makes text.
pub const USUAL: [&str; 8] = [
    "max_tokens",
    "max_completion_tokens",
    "n",
    "temperature",
    "top_p",
    "stop",
    "frequency_penalty",
    "presence_penalty",
];

/// Tools, `tool_choice` and `parallel_tool_calls`.
pub const TOOLS: &str = "tools";
/// `response_format` in every form; a server behind a node has only its JSON forms.
pub const RESPONSE_FORMAT: &str = "response_format";
/// How long to think before the answer.
pub const REASONING_EFFORT: &str = "reasoning_effort";
/// Pictures in messages.
pub const IMAGE_INPUT: &str = "image_input";
/// Recordings in messages.
pub const AUDIO_INPUT: &str = "audio_input";
/// `POST /v1/completions`.
pub const COMPLETIONS: &str = "completions";
/// `POST /v1/embeddings`, and no chat.
pub const EMBEDDINGS: &str = "embeddings";

/// Goes on with an answer that another node with the same weights began; see [`peerway_openapi::relay`].
pub const RESUME: &str = "resume";

/// What a usual server follows, and mistral.rs too.
pub const ALL: [&str; 9] =
    [TOOLS, RESPONSE_FORMAT, COMPLETIONS, "logprobs", "logit_bias", "seed", "top_k", "min_p", "repetition_penalty"];

/// What an operator may say of a server or a script.
pub const DECLARABLE: [&str; 3] = [IMAGE_INPUT, AUDIO_INPUT, REASONING_EFFORT];

/// Whether a name is that of a request's field.
#[must_use]
pub fn is_parameter(name: &str) -> bool {
    !matches!(name, IMAGE_INPUT | AUDIO_INPUT | COMPLETIONS | EMBEDDINGS | RESUME)
}

#[cfg(test)]
mod tests {
    use peerway_p2p::{Ask, ModelOffer, Offer};

    use super::*;

    #[test]
    fn a_model_that_can_do_everything_fits_an_advert() {
        let model = ModelOffer {
            id: "m".to_owned(),
            ask: Ask::default(),
            context_length: 1,
            quantization: String::new(),
            weights_hash: String::new(),
            capabilities: ALL.into_iter().chain(DECLARABLE).chain([RESUME]).map(str::to_owned).collect(),
        };
        let offer = Offer { slots: 1, models: vec![model], ..Offer::default() };
        assert_eq!(offer.check(0), Ok(()));
    }
}
