//! Functions that the model may call, and the shape of its text, in the flat forms that this API has for them.

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::chat::{
    FunctionDefinition, FunctionName, JsonSchemaFormat, NamedFunction, ResponseFormat, Tool, ToolChoice, ToolKind,
    ToolMode, Verbosity,
};
use crate::schema::{either, string};

/// A tool that the model may call. Other kinds than functions are read to be refused by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResponseTool {
    /// Always `function`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name, at most 64 characters of `a-zA-Z0-9_-`.
    #[serde(default)]
    pub name: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON schema of its arguments. None: it takes none.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub parameters: Option<Map<String, Value>>,
    /// Whether the arguments must match the schema exactly.
    #[serde(default)]
    pub strict: Option<bool>,
}

/// Whether and what the model must call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseToolChoice {
    /// `none`, `auto` or `required`.
    Mode(ToolMode),
    /// The function of this name: `{"type":"function","name":…}`.
    Function(String),
}

impl PartialSchema for ResponseToolChoice {
    fn schema() -> RefOr<Schema> {
        let function = ObjectBuilder::new()
            .property("type", string())
            .required("type")
            .property("name", string())
            .required("name")
            .build();
        either("`none`, `auto`, `required`, or one function by its name.", ToolMode::schema(), Schema::Object(function))
    }
}

impl ToSchema for ResponseToolChoice {}

/// The shape and length of the text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TextOptions {
    /// The shape that it must have. None: free text.
    #[serde(default)]
    pub format: TextFormat,
    /// How wordy it is. Only `medium`, which is what every model does by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verbosity: Option<Verbosity>,
}

/// The shape that the text must have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TextFormat {
    /// Free text.
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that matches a schema.
    JsonSchema(JsonSchemaFormat),
    /// Text that matches a regular expression from its first to its last character. An extension.
    Regex {
        /// The expression, in the syntax of Rust's `regex` crate.
        regex: String,
    },
    /// Text that a context-free grammar accepts. An extension.
    Grammar {
        /// The grammar, in the syntax of Lark.
        grammar: String,
    },
}

impl From<ResponseTool> for Tool {
    fn from(tool: ResponseTool) -> Self {
        let ResponseTool { kind: _, name, description, parameters, strict } = tool;
        Self { kind: ToolKind::Function, function: FunctionDefinition { name, description, parameters, strict } }
    }
}

impl From<ResponseToolChoice> for ToolChoice {
    fn from(choice: ResponseToolChoice) -> Self {
        match choice {
            ResponseToolChoice::Mode(mode) => Self::Mode(mode),
            ResponseToolChoice::Function(name) => {
                Self::Named(NamedFunction { kind: ToolKind::Function, function: FunctionName { name } })
            }
        }
    }
}

impl From<TextFormat> for ResponseFormat {
    fn from(format: TextFormat) -> Self {
        match format {
            TextFormat::Text => Self::Text,
            TextFormat::JsonObject => Self::JsonObject,
            TextFormat::JsonSchema(json_schema) => Self::JsonSchema { json_schema },
            TextFormat::Regex { regex } => Self::Regex { regex },
            TextFormat::Grammar { grammar } => Self::Grammar { grammar },
        }
    }
}

/// The two fields of a function picked by the caller.
#[derive(Serialize, Deserialize)]
struct Picked {
    #[serde(rename = "type")]
    kind: ToolKind,
    name: String,
}

impl Serialize for ResponseToolChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Mode(mode) => mode.serialize(serializer),
            Self::Function(name) => Picked { kind: ToolKind::Function, name: name.clone() }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ResponseToolChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ChoiceVisitor;

        impl<'de> Visitor<'de> for ChoiceVisitor {
            type Value = ResponseToolChoice;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"none\", \"auto\", \"required\" or {\"type\":\"function\",\"name\":…}")
            }

            fn visit_str<E: de::Error>(self, mode: &str) -> Result<ResponseToolChoice, E> {
                match mode {
                    "none" => Ok(ResponseToolChoice::Mode(ToolMode::None)),
                    "auto" => Ok(ResponseToolChoice::Mode(ToolMode::Auto)),
                    "required" => Ok(ResponseToolChoice::Mode(ToolMode::Required)),
                    other => Err(E::unknown_variant(other, &["none", "auto", "required"])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ResponseToolChoice, A::Error> {
                let picked = Picked::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(ResponseToolChoice::Function(picked.name))
            }
        }

        deserializer.deserialize_any(ChoiceVisitor)
    }
}
