//! The schemas of what is asked and answered, for the OpenAPI document: each brings along all that it refers to.

use peerway_openapi::completions::{Completion, CompletionChunk, CompletionRequest};
use peerway_openapi::embeddings::{EmbeddingRequest, EmbeddingResponse};
use peerway_openapi::messages::{
    CountTokensRequest, MessagesAnswer, MessagesError, MessagesEvent, MessagesRequest, TokenCount,
};
use serde_json::{Value, json};
use utoipa::{PartialSchema, ToSchema};

/// The schema of a type, with those that it brings along by their names.
fn schemas<T: ToSchema + PartialSchema>() -> Value {
    let mut schemas = Vec::new();
    T::schemas(&mut schemas);
    schemas.push((T::name().into_owned(), T::schema()));
    schemas.into_iter().map(|(name, schema)| (name, json!(schema))).collect::<serde_json::Map<_, _>>().into()
}

fn check<T: ToSchema + PartialSchema>() {
    let schemas = schemas::<T>();
    let text = schemas.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(schemas[reference].is_object(), "{} refers to {reference}", T::name());
    }
}

#[test]
fn every_reference_leads_somewhere() {
    check::<CompletionRequest>();
    check::<Completion>();
    check::<CompletionChunk>();
    check::<EmbeddingRequest>();
    check::<EmbeddingResponse>();
    check::<MessagesRequest>();
    check::<CountTokensRequest>();
    check::<TokenCount>();
    check::<MessagesAnswer>();
    check::<MessagesEvent>();
    check::<MessagesError>();
}

#[test]
fn what_is_required_is_said_to_be() {
    let request = &schemas::<MessagesRequest>()["MessagesRequest"];
    assert_eq!(request["required"], json!(["model", "max_tokens", "messages"]));
    assert_eq!(request["properties"]["max_tokens"]["type"], "integer");
    let prompts = &schemas::<CompletionRequest>()["Prompts"]["oneOf"];
    assert_eq!(prompts[0]["$ref"], "#/components/schemas/Prompt");
    assert_eq!(prompts[1]["items"]["$ref"], "#/components/schemas/Prompt");
    // Vectors and contents are one form or the other, without a name around it.
    let vector = &schemas::<EmbeddingResponse>()["Vector"]["oneOf"];
    assert_eq!((&vector[0]["type"], &vector[1]["type"]), (&json!("array"), &json!("string")));
    let content = &schemas::<MessagesRequest>()["TurnContent"]["oneOf"];
    assert_eq!((&content[0]["type"], &content[1]["type"]), (&json!("string"), &json!("array")));
}
