//! The OpenAPI document, built from the same types that are served.

use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder, OpenApi, OpenApiBuilder,
    PathsBuilder, Ref, RefOr, Required, Response, ResponseBuilder, Schema, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::chat::{ChatChunk, ChatCompletion, ChatRequest};
use crate::error::ErrorEnvelope;
use crate::models::{Model, ModelList};

const KEY: &str = "key";

/// The document as JSON.
#[must_use]
pub fn json() -> String {
    // Only a map with keys that are no strings cannot be written, and the document has none.
    document().to_pretty_json().unwrap_or_default()
}

/// The document.
#[must_use]
pub fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Peerway")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("OpenAI's API in front of a market of peers. Errors always have the shape of ErrorEnvelope."))
        .license(Some(LicenseBuilder::new().name("MIT OR Apache-2.0").build()))
        .build();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("sk-pw-…")
        .description(Some("A key of an account, made with `peerway key create`."))
        .build();
    let mut components = ComponentsBuilder::new().security_scheme(KEY, SecurityScheme::Http(bearer));
    for (name, schema) in schemas() {
        components = components.schema(name, schema);
    }
    OpenApiBuilder::new()
        .info(info)
        .paths(paths().build())
        .components(Some(components.build()))
        .security(Some([SecurityRequirement::new(KEY, Vec::<String>::new())]))
        .build()
}

fn paths() -> PathsBuilder {
    let chat = OperationBuilder::new()
        .operation_id(Some("createChatCompletion"))
        .summary(Some("Let the cheapest healthy node answer a conversation"))
        .description(Some(
            "With `stream: true` the answer comes as server-sent events, each a ChatChunk, the last `[DONE]`. A stream \
             that breaks ends with an event that holds an ErrorEnvelope, and without `[DONE]`.",
        ))
        .request_body(Some(
            RequestBodyBuilder::new()
                .content("application/json", ContentBuilder::new().schema(Some(reference::<ChatRequest>())).build())
                .required(Some(Required::True))
                .build(),
        ))
        .response(
            "200",
            answered::<ChatCompletion>("The answer, its usage and its cost", Some(reference::<ChatChunk>())),
        );
    let chat = with_errors(chat, &["400", "401", "402", "403", "404", "413", "502", "503"]);
    let list = OperationBuilder::new()
        .operation_id(Some("listModels"))
        .summary(Some("The models on sale and their prices now"))
        .response("200", answered::<ModelList>("The models", None));
    let show = OperationBuilder::new()
        .operation_id(Some("retrieveModel"))
        .summary(Some("One model"))
        .parameter(
            ParameterBuilder::new()
                .name("model")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some("The model's id; it may contain slashes."))
                .schema(Some(Schema::Object(ObjectBuilder::new().schema_type(Type::String).build())))
                .build(),
        )
        .response("200", answered::<Model>("The model", None));
    PathsBuilder::new()
        .path("/v1/chat/completions", PathItem::new(HttpMethod::Post, chat))
        .path("/v1/models", PathItem::new(HttpMethod::Get, with_errors(list, &["401"])))
        .path("/v1/models/{model}", PathItem::new(HttpMethod::Get, with_errors(show, &["401", "404"])))
        .path("/health", PathItem::new(HttpMethod::Get, probe("Whether the process runs", "health", &["200"])))
        .path(
            "/ready",
            PathItem::new(HttpMethod::Get, probe("Whether a request would find a node", "ready", &["200", "503"])),
        )
        .path(
            "/metrics",
            PathItem::new(HttpMethod::Get, probe("Metrics in Prometheus' text format", "metrics", &["200"])),
        )
        .path("/openapi.json", PathItem::new(HttpMethod::Get, probe("This document", "openapi", &["200"])))
}

fn with_errors(mut operation: OperationBuilder, statuses: &[&str]) -> OperationBuilder {
    for status in statuses {
        operation = operation.response(*status, answered::<ErrorEnvelope>(meaning(status), None));
    }
    operation
}

fn meaning(status: &str) -> &'static str {
    match status {
        "400" => "The request cannot be served; `param` names the field",
        "401" => "No key, or one that does not exist or was revoked",
        "402" => "The credit does not cover the request",
        "403" => "The account may not spend at the moment",
        "404" => "There is no such model",
        "413" => "The body is too large",
        "502" => "The nodes tried failed before the answer began",
        _ => "No healthy node has room, or the gateway has none; try again after `Retry-After` seconds",
    }
}

fn probe(summary: &str, id: &str, statuses: &[&str]) -> OperationBuilder {
    let open = OperationBuilder::new().operation_id(Some(id)).summary(Some(summary)).securities(Some([]));
    statuses.iter().fold(open, |operation, status| {
        operation.response(*status, ResponseBuilder::new().description(summary).build())
    })
}

fn answered<T: ToSchema>(description: &str, events: Option<RefOr<Schema>>) -> Response {
    let whole = ContentBuilder::new().schema(Some(reference::<T>())).build();
    let response = ResponseBuilder::new().description(description).content("application/json", whole);
    match events {
        Some(event) => response.content("text/event-stream", ContentBuilder::new().schema(Some(event)).build()),
        None => response,
    }
    .build()
}

fn reference<T: ToSchema>() -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(T::name()))
}

/// The schemas of everything served, with all that they refer to, by name.
fn schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = Vec::new();
    add::<ChatRequest>(&mut schemas);
    add::<ChatCompletion>(&mut schemas);
    add::<ChatChunk>(&mut schemas);
    add::<ModelList>(&mut schemas);
    add::<ErrorEnvelope>(&mut schemas);
    schemas.sort_by(|(a, _), (b, _)| a.cmp(b));
    schemas.dedup_by(|(a, _), (b, _)| a == b);
    schemas
}

fn add<T: ToSchema + PartialSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}
