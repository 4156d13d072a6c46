//! `POST /v1/embeddings`: no answer that grows, so no stream; the prompt is what is paid.
//!
//! Nodes are asked for base64, which is a quarter of the size of decimal numbers and loses no bit; whoever wants numbers
//! gets them from here.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use peerway_openapi::completions::Prompt;
use peerway_openapi::embeddings::{EmbeddingRequest, EmbeddingResponse, EncodingFormat, UnusableVector, Vector};
use peerway_openapi::{ApiError, ErrorKind};

use super::admit::{self, Admission, Terms};
use super::estimate::Estimate;
use super::headers::{self, Served};
use super::{Caller, internal, plan};
use crate::catalog::CatalogModel;
use crate::dispatch::{Attempts, Fetching, fetch};
use crate::route::{Requirement, Wishes};

/// Where nodes take it.
const PATH: &str = "/v1/embeddings";

/// Answers a validated request.
///
/// # Errors
/// Whatever rules the request out, or that no node answered. Nothing is charged then.
pub async fn embed(caller: &Caller, request: EmbeddingRequest) -> Result<Response, ApiError> {
    let hedges = headers::hedges(caller.hedge.as_ref())?;
    let (model, sort) = plan::named(caller, &request.model)?;
    let estimate = size(&request, &model)?;
    let requirements = [Requirement { capability: "embeddings", field: "model" }];
    let wishes = Wishes::of(request.provider.as_ref(), sort);
    let terms = Terms { requirements: &requirements, wishes: &wishes, cached: None };
    let Admission { picks, mut bill, explanation, .. } = admit::admit(caller, &model, &estimate, terms).await?;
    let gateway_time = caller.came.elapsed();

    let encoding_format = Some(EncodingFormat::Base64);
    let sent = EmbeddingRequest { model: model.card.id.clone(), provider: None, encoding_format, ..request.clone() };
    let sent = serde_json::to_vec(&sent).map_err(|cause| internal("a request could not be written", &cause))?;
    let fetching = Fetching {
        path: PATH,
        body: sent.into(),
        prompt: estimate.prompt,
        wait: Duration::from_secs(caller.gateway.config.first_token_timeout_s),
        hedges,
    };
    let mut attempts = Attempts::new(picks, Arc::clone(&caller.gateway.retries));
    let read = |bytes: &[u8]| check(bytes, &request);
    let client = caller.gateway.peers.client();
    let (pick, (vectors, claimed)) = fetch(client, &mut attempts, &fetching, read).await?;

    let seller = admit::seller(&pick)?;
    let usage = bill.settle_prompt(&seller, claimed);
    let answer = EmbeddingResponse::new(&model.card.id, vectors, usage.into());
    let answer = EmbeddingResponse { provider: Some(seller.node.clone()), ..answer };
    let json = serde_json::to_vec(&answer).map_err(|cause| internal("an answer could not be written", &cause))?;
    let mut response = Response::new(Body::from(json));
    *response.headers_mut() = headers::of(&Served {
        node: &seller.node,
        price: &pick.price,
        queue_ms: 0,
        gateway_time,
        attempts: attempts.tried(),
        explanation: explanation.as_ref(),
    });
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn size(request: &EmbeddingRequest, model: &CatalogModel) -> Result<Estimate, ApiError> {
    let tokens = |input: &Prompt| match input {
        Prompt::Text(text) => model.count_text(text),
        Prompt::Tokens(tokens) => tokens.len() as u64,
    };
    let context = u64::from(model.card.context_length);
    let (mut all, mut longest) = (0_u64, 0);
    for (place, input) in request.input.0.iter().enumerate() {
        let tokens = tokens(input);
        if tokens > context {
            let message = format!("This input has {tokens} tokens; {context} fit this model.");
            return Err(ApiError::new(ErrorKind::ContextLengthExceeded, message).at(format!("input[{place}]")));
        }
        all = all.saturating_add(tokens);
        longest = longest.max(tokens);
    }
    Ok(Estimate::of_embeddings(all, longest))
}

/// A node's answer, checked, and the tokens that it claims: one vector an input, in their order, all of one length, in the
/// format that the caller wants.
fn check(bytes: &[u8], request: &EmbeddingRequest) -> Result<(Vec<Vector>, u64), &'static str> {
    let answer: EmbeddingResponse = serde_json::from_slice(bytes).map_err(|_| "it sent no embeddings")?;
    if answer.data.len() != request.input.0.len() {
        return Err("it sent another number of embeddings than it was asked for");
    }
    if answer.data.iter().zip(0..).any(|(embedding, place)| embedding.index != place) {
        return Err("its embeddings are out of order");
    }
    let first = answer.data.first().and_then(|embedding| embedding.embedding.dimensions()).unwrap_or(0);
    let wanted = request.dimensions.and_then(|dimensions| usize::try_from(dimensions).ok()).unwrap_or(first);
    if wanted == 0 || answer.data.iter().any(|embedding| embedding.embedding.dimensions() != Some(wanted)) {
        return Err("its embeddings are of the wrong length");
    }
    let formatted = answer.data.into_iter().map(|embedding| embedding.embedding.in_format(request.format()));
    let vectors: Result<_, UnusableVector> = formatted.collect();
    Ok((vectors.map_err(|_| "its embeddings are no numbers")?, answer.usage.prompt_tokens))
}
