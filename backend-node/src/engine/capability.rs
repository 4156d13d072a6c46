//! Parameters that some engines follow and others refuse.
//!
//! The names are those of the request's fields. An advert has room for a dozen of them, so what every engine follows is
//! not advertised.

/// What every engine follows.
pub const USUAL: [&str; 7] =
    ["max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "frequency_penalty", "presence_penalty"];

/// Tools and `tool_choice`.
pub const TOOLS: &str = "tools";

/// What an engine follows that has everything, or that hands requests on and cannot tell.
pub const ALL: [&str; 8] =
    [TOOLS, "response_format", "logprobs", "logit_bias", "seed", "top_k", "min_p", "repetition_penalty"];
