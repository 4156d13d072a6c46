//! The shape that an answer must have: a format that the caller gave, or a call of one of its tools.

use mistralrs::Constraint;
use peerway_openapi::chat::{ChatRequest, ResponseFormat, Tool, ToolChoice, ToolMode};
use serde_json::{Map, Value, json};

use super::EngineError;

/// A shape, and the request's fields that it was made from.
#[derive(Clone)]
pub(super) struct Shape {
    pub(super) constraint: Constraint,
    /// Each with the shape that it asks for alone, for when the whole cannot be followed.
    pub(super) parts: Vec<(String, Constraint)>,
}

impl Shape {
    /// The request's field that it is from, as one.
    pub(super) fn field(&self) -> &str {
        let field = self.parts.first().map_or("response_format", |(field, _)| field.as_str());
        if field.starts_with("tools") { "tools" } else { field }
    }
}

/// The tools that the model is shown, with their places in the request.
pub(super) fn offered_tools(request: &ChatRequest) -> Result<Vec<(usize, &Tool)>, EngineError> {
    let tools = request.tools.as_deref().unwrap_or_default().iter().enumerate();
    match &request.tool_choice {
        Some(ToolChoice::Mode(ToolMode::None)) => Ok(Vec::new()),
        Some(ToolChoice::Mode(ToolMode::Required)) if tools.len() == 0 => {
            Err(EngineError::bad_param("tool_choice", "A required call needs at least one tool."))
        }
        Some(ToolChoice::Named(named)) => {
            Ok(tools.filter(|(_, tool)| tool.function.name == named.function.name).take(1).collect())
        }
        _ => Ok(tools.collect()),
    }
}

/// The shape of a chat's answer. None: any.
pub(super) fn of_chat(request: &ChatRequest, tools: &[(usize, &Tool)]) -> Result<Option<Shape>, EngineError> {
    let must_call = matches!(request.tool_choice, Some(ToolChoice::Mode(ToolMode::Required) | ToolChoice::Named(_)));
    match (tools, of_format(request.response_format.as_ref())?) {
        ([], format) => Ok(format),
        (_, Some(_)) => Err(EngineError::bad_param(
            "response_format",
            "This engine cannot offer tools and hold the answer to a format at the same time.",
        )),
        (tools, None) if must_call => Ok(Some(call(tools))),
        (_, None) => Ok(None),
    }
}

/// The shape that a format asks for. None: any.
pub(super) fn of_format(format: Option<&ResponseFormat>) -> Result<Option<Shape>, EngineError> {
    let (field, constraint) = match format {
        None | Some(ResponseFormat::Text) => return Ok(None),
        Some(ResponseFormat::JsonObject) => {
            ("response_format", Constraint::JsonSchema(compact(json!({ "type": "object" }))))
        }
        Some(ResponseFormat::JsonSchema { json_schema }) => {
            let field = "response_format.json_schema.schema";
            let Some(schema) = &json_schema.schema else {
                return Err(EngineError::bad_param(field, "The schema is missing."));
            };
            (field, Constraint::JsonSchema(compact(schema.clone())))
        }
        Some(ResponseFormat::Regex { regex }) => ("response_format.regex", Constraint::Regex(regex.clone())),
        Some(ResponseFormat::Grammar { grammar }) => ("response_format.grammar", Constraint::Lark(grammar.clone())),
    };
    Ok(Some(Shape { parts: vec![(field.to_owned(), constraint.clone())], constraint }))
}

/// A call of any of these tools, in the form that mistral.rs recognises whatever the model's own is.
///
/// A grammar around the schemas and not one schema around them: what a schema refers to (`#/$defs/…`) is looked for from
/// its own root, which each then has.
fn call(tools: &[(usize, &Tool)]) -> Shape {
    let mut grammar = String::from("start: ");
    let names: Vec<_> = tools.iter().map(|(place, _)| format!("call_{place}")).collect();
    grammar.push_str(&names.join(" | "));
    grammar.push('\n');
    let mut parts = Vec::new();
    for (place, tool) in tools {
        let name = &tool.function.name;
        let arguments = arguments(tool.function.parameters.as_ref());
        grammar.push_str(&format!(
            "call_{place}: \"{{\\\"name\\\": \\\"{name}\\\", \\\"arguments\\\": \" arguments_{place} \"}}\"\n\
             arguments_{place}: %json {arguments}\n"
        ));
        parts.push((format!("tools[{place}].function.parameters"), Constraint::JsonSchema(arguments)));
    }
    Shape { constraint: Constraint::Lark(grammar), parts }
}

/// The schema of a call's arguments, which are an object whether or not the schema says so.
fn arguments(parameters: Option<&Map<String, Value>>) -> Value {
    let Some(parameters) = parameters else {
        return compact(json!({ "type": "object", "properties": {}, "additionalProperties": false }));
    };
    let mut schema = parameters.clone();
    if !schema.contains_key("$ref") {
        schema.entry("type").or_insert_with(|| json!("object"));
    }
    compact(Value::Object(schema))
}

/// The same schema, for JSON on one line, spaced as models have read it most. Any other space that JSON allows is where a
/// small model gets lost: it writes line breaks until its limit, and the caller pays for them.
fn compact(mut schema: Value) -> Value {
    if let Value::Object(fields) = &mut schema {
        let spacing = json!({ "whitespace_flexible": false, "item_separator": ", ", "key_separator": ": " });
        fields.insert("x-guidance".to_owned(), spacing);
    }
    schema
}
