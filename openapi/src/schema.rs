//! Schemas of values that may have one of two forms, which no derive tells: a string or a list, a word or an object.

use utoipa::openapi::{ArrayBuilder, ObjectBuilder, OneOfBuilder, RefOr, Schema, Type};

/// One form or the other.
pub(crate) fn either(about: &str, one: impl Into<RefOr<Schema>>, other: impl Into<RefOr<Schema>>) -> RefOr<Schema> {
    OneOfBuilder::new().item(one).item(other).description(Some(about)).into()
}

/// A string.
pub(crate) fn string() -> Schema {
    Schema::Object(ObjectBuilder::new().schema_type(Type::String).build())
}

/// A list.
pub(crate) fn list(item: impl Into<RefOr<Schema>>) -> Schema {
    Schema::Array(ArrayBuilder::new().items(item.into()).build())
}
