//! `POST /v1/embeddings`: texts into vectors, for search and comparison.

mod request;
mod response;
mod vector;

pub use request::{EmbeddingRequest, EncodingFormat};
pub use response::{Embedding, EmbeddingResponse, EmbeddingUsage};
pub use vector::{UnusableVector, Vector};
