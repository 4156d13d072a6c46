//! How one endpoint is described.

use utoipa::ToSchema;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, Required, Response, ResponseBuilder, Schema, Type};

use super::schemas::{Documented, Schemas};
use crate::error::ErrorEnvelope;

/// One endpoint.
pub(super) struct Endpoint {
    pub(super) path: &'static str,
    pub(super) method: HttpMethod,
    pub(super) operation: Operation,
    /// Adds the types that it names.
    pub(super) types: Vec<Add>,
}

/// Adds a type to the schemas.
pub(super) type Add = Box<dyn Fn(&mut Schemas)>;

/// An endpoint being described.
pub(super) struct Description {
    path: &'static str,
    method: HttpMethod,
    operation: OperationBuilder,
    types: Vec<Add>,
}

/// Refusals of an endpoint that lets a model work.
pub(super) const INFERENCE: &[u16] = &[400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503];
/// Refusals of an endpoint that is behind a key and looks for something.
pub(super) const LOOKED_FOR: &[u16] = &[400, 401, 403, 404, 503];
/// Refusals of an endpoint that is behind a key.
pub(super) const KNOWN: &[u16] = &[400, 401, 403, 503];

/// Begins to describe an endpoint.
pub(super) fn endpoint(method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Description {
    let operation = OperationBuilder::new().operation_id(Some(id)).summary(Some(summary));
    Description { path, method, operation, types: Vec::new() }
}

/// Puts endpoints under one heading.
pub(super) fn under(heading: &str, endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
    let tagged = endpoints.into_iter().map(|mut endpoint| {
        endpoint.operation.tags = Some(vec![heading.to_owned()]);
        endpoint
    });
    tagged.collect()
}

impl Description {
    pub(super) fn about(self, text: &str) -> Self {
        Self { operation: self.operation.description(Some(text)), ..self }
    }

    /// A part of the path.
    pub(super) fn part(self, name: &str, about: &str) -> Self {
        self.parameter(name, ParameterIn::Path, Required::True, Type::String, about)
    }

    /// A parameter of the query. None needs to be there.
    pub(super) fn query(self, name: &str, kind: Type, about: &str) -> Self {
        self.parameter(name, ParameterIn::Query, Required::False, kind, about)
    }

    /// A query that must be there.
    pub(super) fn asks(self, name: &str, about: &str) -> Self {
        self.parameter(name, ParameterIn::Query, Required::True, Type::String, about)
    }

    fn parameter(self, name: &str, place: ParameterIn, required: Required, kind: Type, about: &str) -> Self {
        let schema = Schema::Object(ObjectBuilder::new().schema_type(kind).build());
        let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(required);
        let parameter = parameter.description(Some(about)).schema(Some(schema)).build();
        Self { operation: self.operation.parameter(parameter), ..self }
    }

    /// The same request, sent again with this header, is answered and billed once.
    pub(super) fn once(self) -> Self {
        let about = "A name for this request, 1 to 255 bytes. The same request under the same name gets the first \
                     answer again for 24 hours, and is billed once; another request under it is refused with 422.";
        self.parameter("Idempotency-Key", ParameterIn::Header, Required::False, Type::String, about)
    }

    /// The caller may have another node asked as well where one is late.
    pub(super) fn hedges(self) -> Self {
        let about = "With `true`, where a node has not begun after twice the time that it usually takes, the next one is \
                     asked as well, and the first to begin answers and is paid. Not where too many requests of others \
                     had to be tried again of late.";
        self.parameter("x-peerway-hedge", ParameterIn::Header, Required::False, Type::Boolean, about)
    }

    pub(super) fn takes<T: Documented>(mut self) -> Self {
        self.types.push(Box::new(Schemas::add::<T>));
        let content = ContentBuilder::new().schema(Some(reference::<T>())).build();
        let body =
            RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True)).build();
        Self { operation: self.operation.request_body(Some(body)), ..self }
    }

    pub(super) fn gives<T: Documented>(self, status: u16, about: &str) -> Self {
        self.answer(status, json(&T::name(), about).build(), Box::new(Schemas::add::<T>))
    }

    /// As [`Self::gives`], of a generic type `T` around `Inner`, under a name of its own: for the document each filling of
    /// `T` is another type.
    pub(super) fn gives_as<T: Documented, Inner: Documented>(mut self, name: &'static str, about: &str) -> Self {
        self.types.push(Box::new(Schemas::add::<Inner>));
        self.answer(200, json(name, about).build(), Box::new(|schemas| schemas.add_as::<T>(name)))
    }

    /// The answer, whole, or with `stream: true` as server-sent events.
    pub(super) fn tells<T: Documented, E: Documented>(self, about: &str) -> Self {
        let events = ContentBuilder::new().schema(Some(reference::<E>())).build();
        let answer = json(&T::name(), about).content("text/event-stream", events).build();
        let mut told = self.answer(200, answer, Box::new(Schemas::add::<T>));
        told.types.push(Box::new(Schemas::add::<E>));
        told
    }

    pub(super) fn refuses(self, statuses: &[u16]) -> Self {
        self.refuses_with::<ErrorEnvelope>(statuses)
    }

    /// As [`Self::refuses`], in another shape.
    pub(super) fn refuses_with<T: Documented>(self, statuses: &[u16]) -> Self {
        statuses.iter().fold(self, |this, &status| {
            this.answer(status, json(&T::name(), meaning(status)).build(), Box::new(Schemas::add::<T>))
        })
    }

    /// Answers that are no JSON of ours.
    pub(super) fn answers(self, statuses: &[u16], about: &str) -> Self {
        let answer = |operation: OperationBuilder, status: &u16| {
            operation.response(status.to_string(), ResponseBuilder::new().description(about).build())
        };
        Self { operation: statuses.iter().fold(self.operation, answer), ..self }
    }

    /// For everybody: no key is asked for.
    pub(super) fn open(self) -> Self {
        Self { operation: self.operation.securities(Some([])), ..self }
    }

    pub(super) fn done(self) -> Endpoint {
        let Self { path, method, operation, types } = self;
        Endpoint { path, method, operation: operation.build(), types }
    }

    fn answer(mut self, status: u16, response: Response, add: Add) -> Self {
        self.types.push(add);
        Self { operation: self.operation.response(status.to_string(), response), ..self }
    }
}

fn json(name: &str, about: &str) -> ResponseBuilder {
    let whole = ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name(name)))).build();
    ResponseBuilder::new().description(about).content("application/json", whole)
}

fn reference<T: ToSchema>() -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(T::name()))
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request cannot be served; `param` names the field",
        401 => "No key or token, or one that does not exist, was revoked or has expired",
        402 => "The credit or a budget does not cover the request",
        403 => "The key or token may not do this, or the account may not spend at the moment",
        404 => "There is no such thing",
        408 => "The body did not arrive in time",
        413 => "The body is too large",
        422 => "The Idempotency-Key was used for another request",
        429 => "Too many requests or tokens in a minute; try again after `Retry-After` seconds",
        500 => "A fault of the gateway; nothing was charged",
        502 => "The nodes tried failed before the answer began",
        _ => "No healthy node has room, or the gateway has none; try again after `Retry-After` seconds",
    }
}
