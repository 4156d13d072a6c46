//! Why an engine gives no answer, and what the caller is told.
//!
//! This is the one place where an engine's errors become HTTP. The caller's message and the operator's are two fields: an
//! upstream's complaint about a wrong key is nobody's business but the operator's.

use peerway_openapi::{ApiError, ErrorKind};

/// Whose machine failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This node's: answered as 500.
    Node,
    /// A server behind this node: answered as 502.
    Upstream,
}

/// Why there is no answer, or no more of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// Every slot and every place in the queue is taken; nothing was done.
    #[error("every slot and every place in the queue is taken")]
    Busy,
    /// The request cannot be served as it is; nothing was done.
    #[error("bad request: {message}")]
    BadRequest {
        /// The field at fault. None where no single field is.
        param: Option<String>,
        /// For the caller.
        message: String,
    },
    /// The prompt does not fit the context; nothing was done.
    #[error("`{field}` has {prompt_tokens} tokens and the context {context_length}")]
    ContextLength {
        /// The field that holds the prompt.
        field: &'static str,
        /// Tokens of the prompt, a conversation as the model's template renders it.
        prompt_tokens: usize,
        /// Tokens that prompt and answer may have together.
        context_length: usize,
    },
    /// The engine serves no model of this id; nothing was done.
    #[error("unknown model `{0}`")]
    UnknownModel(String),
    /// It broke. It is not known how much of the work was done.
    #[error("{fault:?} failed: {detail}")]
    Failed {
        /// Whose machine failed.
        fault: Fault,
        /// For the caller; tells nothing of the machine behind.
        message: String,
        /// For the operator's log.
        detail: String,
    },
}

impl EngineError {
    /// A request that cannot be served because of one field.
    #[must_use]
    pub fn bad_param(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::BadRequest { param: Some(param.into()), message: message.into() }
    }

    /// A model asked for vectors that makes text.
    #[must_use]
    pub fn makes_no_embeddings() -> Self {
        Self::bad_param("model", "This model does not make embeddings.")
    }

    /// A model asked for text that makes vectors.
    #[must_use]
    pub fn only_embeds() -> Self {
        Self::bad_param("model", "This model makes embeddings, and no text: send it to /v1/embeddings.")
    }

    /// A fault of this node.
    #[must_use]
    pub fn node(message: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Failed { fault: Fault::Node, message: message.into(), detail: detail.into() }
    }

    /// A fault of the server behind this node.
    #[must_use]
    pub fn upstream(message: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Failed { fault: Fault::Upstream, message: message.into(), detail: detail.into() }
    }

    /// The error as a caller sees it before the answer has begun.
    #[must_use]
    pub fn to_api(&self) -> ApiError {
        match self {
            Self::Busy => ApiError::new(ErrorKind::Overloaded, "This node is busy; try again or another node."),
            Self::BadRequest { param, message } => {
                let error = ApiError::new(ErrorKind::InvalidRequest, message);
                match param {
                    Some(param) => error.at(param),
                    None => error,
                }
            }
            Self::ContextLength { field, prompt_tokens, context_length } => {
                let message = format!(
                    "`{field}` has {prompt_tokens} tokens; this model reads and writes at most {context_length}."
                );
                ApiError::new(ErrorKind::ContextLengthExceeded, message).at(*field)
            }
            Self::UnknownModel(model) => {
                ApiError::new(ErrorKind::ModelNotFound, format!("This node has no model `{model}`.")).at("model")
            }
            Self::Failed { fault: Fault::Node, message, .. } => ApiError::new(ErrorKind::Internal, message),
            Self::Failed { fault: Fault::Upstream, message, .. } => ApiError::new(ErrorKind::NodeFailed, message),
        }
    }

    /// The error as a caller sees it inside a stream that has begun.
    #[must_use]
    pub fn to_stream_api(&self) -> ApiError {
        match self {
            Self::Failed { message, .. } => ApiError::new(ErrorKind::StreamBroken, message),
            other => other.to_api(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_status() {
        let cases = [
            (EngineError::Busy, 503),
            (EngineError::bad_param("seed", "no"), 400),
            (EngineError::ContextLength { field: "prompt", prompt_tokens: 9, context_length: 8 }, 400),
            (EngineError::UnknownModel("x".into()), 404),
            (EngineError::node("broke", "why"), 500),
            (EngineError::upstream("broke", "why"), 502),
        ];
        for (error, status) in cases {
            assert_eq!(error.to_api().kind().status().as_u16(), status, "{error}");
        }
    }

    #[test]
    fn busy_asks_to_come_back_and_the_operators_detail_stays_here() {
        let busy = EngineError::Busy.to_api().response();
        assert_eq!(busy.headers()["retry-after"], "1");
        let failed = EngineError::upstream("The upstream refused.", "401 for key sk-123").to_api().response();
        assert!(!String::from_utf8_lossy(failed.body()).contains("sk-123"));
    }
}
