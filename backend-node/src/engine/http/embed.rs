//! Embeddings of an upstream.
//!
//! Base64 is asked for, which is a third of the size and loses no bit; servers that do not know it send numbers. What
//! comes back is checked as far as a caller would be harmed: one vector for each text, in order, all of one length.

use peerway_openapi::embeddings::{EmbeddingRequest, EmbeddingResponse, EncodingFormat, Vector};

use super::super::EngineError;
use super::{HttpEngine, failure};

const EMBEDDINGS: &str = "/embeddings";
/// Bytes of an answer: 2048 vectors of 4096 numbers as numbers in text.
const MAX_ANSWER: usize = 128 << 20;

impl HttpEngine {
    pub(super) async fn embeddings(&self, mut request: EmbeddingRequest) -> Result<EmbeddingResponse, EngineError> {
        let (format, count) = (request.format(), request.input.0.len());
        request.model.clone_from(&self.upstream_model);
        request.encoding_format = Some(EncodingFormat::Base64);
        let response = self.send(EMBEDDINGS, &request, false).await?;
        let body = self.read(response, MAX_ANSWER).await?;
        let answer: EmbeddingResponse = serde_json::from_slice(&body)
            .map_err(|error| failure::malformed(format_args!("its embeddings: {error}")))?;
        let vectors = in_order(answer.data, count)?;
        let vectors = vectors.into_iter().map(|vector| vector.in_format(format));
        let vectors = vectors.collect::<Result<Vec<_>, _>>().map_err(failure::malformed)?;
        Ok(EmbeddingResponse::new(self.model.id.clone(), vectors, answer.usage))
    }
}

fn in_order(mut data: Vec<peerway_openapi::embeddings::Embedding>, count: usize) -> Result<Vec<Vector>, EngineError> {
    data.sort_by_key(|one| one.index);
    let is_whole = data.len() == count && (0..).zip(&data).all(|(place, one)| place == one.index);
    if !is_whole {
        return Err(failure::malformed(format_args!(
            "{} embeddings for {count} texts, or numbered otherwise",
            data.len()
        )));
    }
    let mut lengths = data.iter().map(|one| one.embedding.dimensions());
    let first = lengths.next().flatten();
    if first.is_none_or(|length| length == 0) || lengths.any(|length| length != first) {
        return Err(failure::malformed("embeddings that differ in length or have none"));
    }
    Ok(data.into_iter().map(|one| one.embedding).collect())
}
