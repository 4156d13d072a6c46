//! A judge of JSON values by the official description of the API.

use serde_json::Value;

/// The keywords that the official description uses. Returns the first place that does not fit.
pub(crate) fn mismatch(schema: &Value, value: &Value, defs: &Value, at: &str) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().expect("a split has a last part");
        return mismatch(&defs[name], value, defs, at);
    }
    for (keyword, want_all) in [("anyOf", false), ("oneOf", false), ("allOf", true)] {
        let Some(options) = schema[keyword].as_array() else { continue };
        let failures: Vec<_> = options.iter().filter_map(|option| mismatch(option, value, defs, at)).collect();
        let failed = if want_all { !failures.is_empty() } else { failures.len() == options.len() };
        if failed {
            return Some(failures.join(" / "));
        }
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|name| is_of_type(value, name)) {
        return Some(format!("{at}: {value} is not {types:?}"));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Some(format!("{at}: {value} is not one of {allowed:?}"));
    }
    if let Some(object) = value.as_object() {
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for name in required {
            if !object.contains_key(name) {
                return Some(format!("{at}.{name} is missing"));
            }
        }
        for (name, inner) in object {
            let inner_schema = &schema["properties"][name];
            if let Some(found) = mismatch(inner_schema, inner, defs, &format!("{at}.{name}")) {
                return Some(found);
            }
        }
    }
    let items = value.as_array().into_iter().flatten().enumerate();
    items.into_iter().find_map(|(place, item)| mismatch(&schema["items"], item, defs, &format!("{at}[{place}]")))
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("the description has a type {other}"),
    }
}
