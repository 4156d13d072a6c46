//! `POST /v1/embeddings`: no answer that grows, so no stream; the prompt is what is paid.
//!
//! Nodes are asked for base64, which is a quarter of the size of decimal numbers and loses no bit; whoever wants numbers
//! gets them from here.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use peerway_openapi::embeddings::{EmbeddingRequest, EmbeddingResponse, EncodingFormat, Input};
use peerway_openapi::{ApiError, ErrorKind};

use super::admit::{self, Admission};
use super::estimate::Estimate;
use super::headers::{self, Served};
use super::{Caller, internal};
use crate::catalog::CatalogModel;
use crate::dispatch::{Attempts, fetch};
use crate::route::Requirement;

/// Where nodes take it.
const PATH: &str = "/v1/embeddings";

/// Answers a validated request.
///
/// # Errors
/// Whatever rules the request out, or that no node answered. Nothing is charged then.
pub async fn embed(caller: &Caller, request: EmbeddingRequest) -> Result<Response, ApiError> {
    let model = admit::model(caller, &request.model)?;
    let estimate = size(&request, &model)?;
    let requirements = [Requirement { capability: "embeddings", field: "model" }];
    let Admission { picks, mut bill, .. } = admit::admit(caller, &model, &estimate, &requirements).await?;
    let gateway_time = caller.came.elapsed();

    let wanted = request.encoding_format;
    let sent = EmbeddingRequest { encoding_format: Some(EncodingFormat::Base64), ..request.clone() };
    let sent = serde_json::to_vec(&sent).map_err(|cause| internal("a request could not be written", &cause))?;
    let wait = Duration::from_secs(caller.gateway.config.first_token_timeout_s);
    let mut attempts = Attempts::new(picks);
    let read = |bytes: &[u8]| check(bytes, request.inputs().len(), request.dimensions);
    let client = caller.gateway.peers.client();
    let (pick, answer) = fetch(client, &mut attempts, PATH, &Bytes::from(sent), wait, read).await?;

    let seller = admit::seller(&pick)?;
    let usage = bill.settle_prompt(&seller, answer.usage.prompt_tokens);
    let answer = EmbeddingResponse {
        object: "list".to_owned(),
        data: answer.data.into_iter().map(|embedding| embedding.encoded(wanted.unwrap_or_default())).collect(),
        model: model.card.id.clone(),
        usage: usage.into(),
        provider: Some(seller.node.clone()),
    };
    let json = serde_json::to_vec(&answer).map_err(|cause| internal("an answer could not be written", &cause))?;
    let mut response = Response::new(Body::from(json));
    *response.headers_mut() = headers::of(&Served {
        node: &seller.node,
        price: &pick.price,
        queue_ms: 0,
        gateway_time,
        attempts: attempts.tried(),
    });
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn size(request: &EmbeddingRequest, model: &CatalogModel) -> Result<Estimate, ApiError> {
    let tokens = |input: &Input| match input {
        Input::Text(text) => model.count_text(text),
        Input::Tokens(tokens) => tokens.len() as u64,
    };
    let context = u64::from(model.card.context_length);
    let (mut all, mut longest) = (0_u64, 0);
    for (place, input) in request.inputs().iter().enumerate() {
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

/// A node's answer, checked: one vector an input, in their order, all of one length.
fn check(bytes: &[u8], inputs: usize, dimensions: Option<u32>) -> Result<EmbeddingResponse, &'static str> {
    let answer: EmbeddingResponse = serde_json::from_slice(bytes).map_err(|_| "it sent no embeddings")?;
    if answer.data.len() != inputs {
        return Err("it sent another number of embeddings than it was asked for");
    }
    let lengths: Vec<usize> = answer.data.iter().map(|embedding| embedding.embedding.len()).collect();
    let in_order = answer.data.iter().enumerate().all(|(place, embedding)| embedding.index as usize == place);
    let wanted = dimensions.map_or(lengths.first().copied().unwrap_or(0), |dimensions| dimensions as usize);
    if !in_order || wanted == 0 || lengths.iter().any(|length| *length != wanted) {
        return Err("its embeddings are out of order or of the wrong length");
    }
    Ok(answer)
}
