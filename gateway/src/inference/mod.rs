//! The life of one request to a model, whichever API it came through.
//!
//! An endpoint parses its own request and says two things: what it asks of a model, in one form for all ([`Ask`]), and in
//! which words the answer is told ([`peerway_openapi::Dialect`]). Everything between is here and the same for all, so that
//! no API can forget to hold credit, to count, or to stop a node whose caller has left:
//!
//! | file | step |
//! | --- | --- |
//! | `ask` | what is asked, and what a node must be able to do for it |
//! | `plan` | which models may serve it, and on what terms |
//! | `estimate` | how many tokens it may take |
//! | `admit` | the nodes to try, and credit set aside: no hold, no request |
//! | `prepare` | the steps so far, for one model after the other until one can be asked |
//! | `generation` | one node after the other, until one answers; counted and billed while it passes |
//! | `twins` | where a node fails in mid-answer, another with the same weights that goes on |
//! | `reply` | the answer in the caller's words, whole or streamed |
//! | `embed` | the same for embeddings, which have no answer that grows |

mod admit;
mod ask;
mod embed;
mod estimate;
mod generation;
mod headers;
mod plan;
mod prepare;
mod refusals;
mod reply;
mod twins;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::HeaderValue;
use http::request::Parts;
use peerway_openapi::chat::ChatRequest;
use peerway_openapi::{ApiError, ErrorKind};

use crate::Gateway;
use crate::access::Principal;
use crate::layers::RequestId;
use crate::limits::Ticket;

pub use ask::{Ask, Work};
pub use embed::embed;
pub use estimate::Estimate;
pub use generation::Generation;
pub use reply::{Ending, answer, begin_stream, event_stream};

pub(crate) use refusals::internal;

/// Tokens of a conversation, as the gateway counts them. `bytes` of its request: large ones are counted where it does not
/// keep other requests waiting.
///
/// # Errors
/// `ModelNotFound`, or `InvalidRequest` where the model's chat template refuses the messages.
pub fn count_prompt(caller: &Caller, request: &ChatRequest, bytes: usize) -> Result<u64, ApiError> {
    let (model, _) = plan::named(caller, &request.model)?;
    estimate::off_the_threads(bytes, || ask::count_chat(request, &model))
}

/// Who asks, under which name the request is known, and when it came.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The gateway that was asked.
    pub gateway: Arc<Gateway>,
    /// Who pays, and what they may do.
    pub principal: Arc<Principal>,
    /// The request's name.
    pub id: RequestId,
    /// The request's part of what its caller may ask in a minute. None: it counts against nothing.
    pub ticket: Option<Arc<Ticket>>,
    /// When it came.
    pub came: std::time::Instant,
    /// Whether it asks why its node was picked.
    pub wants_explanation: bool,
    /// Whether it asks for hedges, as it was sent: to be refused in the words of its API.
    pub(crate) hedge: Option<HeaderValue>,
}

impl FromRequestParts<Arc<Gateway>> for Caller {
    type Rejection = axum::response::Response;

    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Self::Rejection> {
        let found = (parts.extensions.get::<Arc<Principal>>(), parts.extensions.get::<RequestId>());
        let (Some(principal), Some(id)) = found else {
            // The layers that put them there stand before every route that has a caller.
            let error = ApiError::new(ErrorKind::Internal, "The gateway made a mistake. You were not charged.");
            return Err(error.response().map(axum::body::Body::from));
        };
        let (principal, id) = (Arc::clone(principal), *id);
        let wants_explanation = parts.headers.get(headers::EXPLAIN).is_some_and(|value| value == "true");
        let hedge = parts.headers.get(headers::HEDGE).cloned();
        let ticket = parts.extensions.get::<Arc<Ticket>>().cloned();
        Ok(Self {
            gateway: Arc::clone(gateway),
            principal,
            id,
            ticket,
            came: std::time::Instant::now(),
            wants_explanation,
            hedge,
        })
    }
}
