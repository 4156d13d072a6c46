//! The OpenAPI document, built from the same types that are served.
//!
//! | file | idea |
//! | --- | --- |
//! | `endpoint` | how one endpoint is described |
//! | `inference`, `access`, `money`, `probes` | the endpoints, by whom they are for |
//! | `schemas` | every type that they name, and all that those refer to |

mod access;
mod endpoint;
mod inference;
mod money;
mod probes;
mod schemas;

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Paths};

use endpoint::Endpoint;
use schemas::Schemas;

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
        .description(Some(
            "OpenAI's API, and Anthropic's messages, in front of a market of peers. Errors have the shape of \
             ErrorEnvelope, those of `/v1/messages` that of MessagesError; a stream that breaks ends with one.\n\n\
             Every answer has `x-request-id`. Answers of models have `x-peerway-node`, `x-peerway-price-input` and \
             `-output` (USD per million tokens), `x-peerway-queue-ms`, `x-peerway-gateway-ms` and \
             `x-peerway-attempts`, and with `x-peerway-explain: true` in the request a header `x-peerway-explain`: JSON \
             of at most 4 kB with the `candidates` that were considered, each with `node`, `price` (USD per million \
             prompt and generated tokens), expected `cost`, `load`, `verdict` and `notes`; keys with limits are told what is left in `x-ratelimit-…`. A silent stream is kept \
             open with comments.",
        ))
        .license(Some(LicenseBuilder::new().name("MIT OR Apache-2.0").build()))
        .build();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("sk-pw-…")
        .description(Some(
            "A key of an account, a token minted by one at `/v1/auth/tokens`, or a token of an identity provider that \
             the gateway's operator trusts. Keys may come as `x-api-key` too.",
        ))
        .build();
    let (mut paths, mut schemas) = (Paths::new(), Schemas::default());
    let endpoints = inference::endpoints()
        .into_iter()
        .chain(access::endpoints())
        .chain(money::endpoints())
        .chain(probes::endpoints());
    for Endpoint { path, method, operation, types } in endpoints {
        types.into_iter().for_each(|add| add(&mut schemas));
        let operation = PathItem::new(method, operation);
        match paths.paths.get_mut(path) {
            Some(known) => known.merge_operations(operation),
            None => drop(paths.paths.insert(path.to_owned(), operation)),
        }
    }
    let mut components = ComponentsBuilder::new().security_scheme(KEY, SecurityScheme::Http(bearer));
    for (name, schema) in schemas.into_sorted() {
        components = components.schema(name, schema);
    }
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components.build()))
        .security(Some([SecurityRequirement::new(KEY, Vec::<String>::new())]))
        .build()
}
