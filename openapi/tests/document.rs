//! The OpenAPI document as it is served: a change of it is a change for every caller, so it shows in review.

use peerway_openapi::document;
use serde_json::Value;

#[test]
fn the_document_changes_only_on_purpose() {
    let document: Value = serde_json::from_str(&document::json()).unwrap();
    // Whether serde_json keeps the order of keys depends on what else is built.
    insta::with_settings!({sort_maps => true}, { insta::assert_json_snapshot!(document) });
}

#[test]
fn every_reference_leads_somewhere() {
    let document: Value = serde_json::from_str(&document::json()).unwrap();
    let text = document.to_string();
    let references = text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
    let names: Vec<_> = references.collect();
    assert!(names.contains(&"ChatRequest") && names.contains(&"ResponseEvent"));
    for name in names {
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[test]
fn the_document_describes_what_official_clients_send() {
    let document: Value = serde_json::from_str(&document::json()).unwrap();
    let request = &document["components"]["schemas"]["ChatRequest"]["properties"];
    for field in [
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "n",
        "stop",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "tools",
        "tool_choice",
        "response_format",
    ] {
        assert!(request[field].is_object(), "{field}");
    }
}
