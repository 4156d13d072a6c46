//! Vectors from texts: eight numbers, of length one, the same for the same text.

use peerway_openapi::completions::Prompt;
use peerway_openapi::embeddings::{EmbeddingRequest, EmbeddingResponse, EmbeddingUsage, Vector};

use super::super::EngineError;
use super::words;

/// Numbers of a vector.
const DIMENSIONS: usize = 8;

pub(super) fn embed(request: &EmbeddingRequest) -> Result<EmbeddingResponse, EngineError> {
    let wanted = request.dimensions.map_or(DIMENSIONS, |wanted| usize::try_from(wanted).unwrap_or(usize::MAX));
    if !(1..=DIMENSIONS).contains(&wanted) {
        return Err(EngineError::bad_param("dimensions", format!("A vector has 1 to {DIMENSIONS} dimensions.")));
    }
    let (mut vectors, mut tokens) = (Vec::new(), 0);
    for input in &request.input.0 {
        let (text, count) = match input {
            Prompt::Text(text) => (text.clone(), words::count_text(text)),
            Prompt::Tokens(tokens) => (format!("{tokens:?}"), u64::try_from(tokens.len()).unwrap_or(u64::MAX)),
        };
        tokens += count;
        let vector = Vector::Floats(vector(&text, wanted)).in_format(request.format());
        vectors.push(vector.map_err(|error| EngineError::node("The engine failed.", error.to_string()))?);
    }
    Ok(EmbeddingResponse::new(request.model.clone(), vectors, EmbeddingUsage::of_tokens(tokens)))
}

fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let seed = words::seed_text(text);
    let number = |place: usize| {
        let byte = seed.to_le_bytes()[place];
        f32::from(i16::from(byte) - 128) + 0.5
    };
    let numbers: Vec<f32> = (0..dimensions).map(number).collect();
    let length = numbers.iter().map(|number| number * number).sum::<f32>().sqrt();
    numbers.into_iter().map(|number| number / length).collect()
}
