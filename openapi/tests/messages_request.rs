//! Requests in Anthropic's words, as its clients send them, and what a node gets to read.

use peerway_openapi::chat::ChatRequest;
use peerway_openapi::messages::{CountTokensRequest, MessagesRequest, TokenCount};
use peerway_openapi::{ApiError, parse};
use serde_json::{Map, Value, json};

/// A request with these fields besides the required ones.
fn with(change: &Value) -> Value {
    let mut body = json!({"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]});
    let fields: &Map<String, Value> = change.as_object().expect("a change has fields");
    body.as_object_mut().expect("a body has fields").extend(fields.clone());
    body
}

fn asked(change: &Value) -> Result<ChatRequest, ApiError> {
    parse::json::<MessagesRequest>(with(change).to_string().as_bytes())?.to_chat()
}

fn chat(change: &Value) -> Value {
    json!(asked(change).expect("the request can be served"))
}

fn user(content: &Value) -> Value {
    json!({"messages": [{"role": "user", "content": content}]})
}

#[test]
fn the_simplest_request() {
    let expected = json!({"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(chat(&json!({})), expected);
}

#[test]
fn everything_that_can_be_asked_for() {
    let request = json!({
        "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "Be brief."}],
        "stop_sequences": ["END"], "stream": true, "temperature": 0.5, "top_p": 0.9, "top_k": 40,
        "tools": [{"name": "weather", "description": "Of a place", "input_schema": {"type": "object"},
                   "cache_control": {"type": "ephemeral"}}, {"type": "custom", "name": "time", "input_schema": {}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "max", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        "metadata": {"user_id": "u"}, "service_tier": "auto", "inference_geo": "eu"
    });
    let expected = json!({
        "model": "m", "max_tokens": 100, "stream": true, "temperature": 0.5, "top_p": 0.9, "top_k": 40,
        "messages": [{"role": "system", "content": "Be kind.\n\nBe brief."}, {"role": "user", "content": "hi"}],
        "stop": ["END"],
        "tools": [
            {"type": "function", "function": {"name": "weather", "description": "Of a place", "parameters": {"type": "object"}}},
            {"type": "function", "function": {"name": "time", "parameters": {}}}
        ],
        "tool_choice": "required", "parallel_tool_calls": false,
        "reasoning_effort": "xhigh",
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": true}}
    });
    assert_eq!(chat(&request), expected);
}

#[test]
fn a_conversation_with_tools_and_pictures() {
    let picture = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}});
    let request = json!({"messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "What is "}, {"type": "text", "text": "this?"},
            {"source": {"type": "url", "url": "https://x.example/a.png"}, "type": "image"}
        ]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "toolu_1", "name": "zoom", "input": {"by": 2, "at": [1, 2]}},
            {"type": "tool_use", "id": "toolu_2", "name": "crop", "input": {}}
        ]},
        {"role": "user", "content": [
            {"type": "text", "text": "And?"},
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [picture]},
            {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true, "content": [{"type": "text", "text": "no "}, {"type": "text", "text": "scissors"}]},
            {"type": "tool_result", "tool_use_id": "toolu_3"}
        ]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_4", "name": "zoom", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_4", "content": "done"}]}
    ]});
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let mut messages = chat(&request)["messages"].take();
    // Whether serde_json keeps the order of keys depends on what else is built.
    let arguments = messages[1]["tool_calls"][0]["function"]["arguments"].take();
    let arguments: Value = serde_json::from_str(arguments.as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({"by": 2, "at": [1, 2]}));
    let mut first = call("toolu_1", "zoom", "");
    first["function"]["arguments"] = Value::Null;
    let expected = json!([
        {"role": "user", "content": [
            {"type": "text", "text": "What is "}, {"type": "text", "text": "this?"},
            {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}
        ]},
        {"role": "assistant", "content": "I look.", "tool_calls": [first, call("toolu_2", "crop", "{}")]},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "The result is the picture that follows."},
        {"role": "tool", "tool_call_id": "toolu_2", "content": "Error: no scissors"},
        {"role": "tool", "tool_call_id": "toolu_3", "content": ""},
        {"role": "user", "content": [
            {"type": "text", "text": "And?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        ]},
        {"role": "assistant", "tool_calls": [call("toolu_4", "zoom", "{}")]},
        {"role": "tool", "tool_call_id": "toolu_4", "content": "done"}
    ]);
    assert_eq!(messages, expected);
}

#[test]
fn choices_of_tools_have_their_counterparts() {
    let cases = [
        (json!({"type": "auto"}), json!("auto")),
        (json!({"type": "any"}), json!("required")),
        (json!({"type": "none"}), json!("none")),
        (json!({"type": "tool", "name": "f"}), json!({"type": "function", "function": {"name": "f"}})),
    ];
    for (choice, expected) in cases {
        let told = chat(&json!({"tools": [{"name": "f", "input_schema": {}}], "tool_choice": choice}));
        assert_eq!((&told["tool_choice"], &told["parallel_tool_calls"]), (&expected, &Value::Null));
    }
}

#[test]
fn thinking_becomes_effort() {
    let effort = |thinking: Value, effort: Option<&str>| {
        chat(&json!({"thinking": thinking, "output_config": {"effort": effort}}))["reasoning_effort"].take()
    };
    let enabled = |budget: u32| json!({"type": "enabled", "budget_tokens": budget});
    for (budget, expected) in [(1024, "low"), (4095, "low"), (4096, "medium"), (16383, "medium"), (16384, "high")] {
        assert_eq!(effort(enabled(budget), None), expected, "{budget}");
    }
    assert_eq!(effort(json!({"type": "disabled"}), Some("high")), "none");
    assert_eq!(effort(enabled(2000), Some("high")), "low");
    assert_eq!(effort(json!({"type": "adaptive"}), None), Value::Null);
    assert_eq!(effort(Value::Null, None), Value::Null);
    for (said, expected) in
        [("low", "low"), ("medium", "medium"), ("high", "high"), ("xhigh", "xhigh"), ("max", "xhigh")]
    {
        assert_eq!(effort(Value::Null, Some(said)), expected);
    }
}

#[test]
fn errors_are_told_in_the_callers_own_terms() {
    let block = |block: Value| user(&json!([{"type": "text", "text": "x"}, block]));
    let assistant = |content: Value| json!({"messages": [{"role": "assistant", "content": content}, {"role": "user", "content": "x"}]});
    let cases = [
        (json!({"model": ""}), "model"),
        (json!({"max_tokens": null}), "max_tokens"),
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"max_tokens": -1}), "max_tokens"),
        (json!({"messages": []}), "messages"),
        (json!({"messages": null}), "messages"),
        (json!({"messages": [{"role": "system", "content": "x"}]}), "messages[0].role"),
        (
            json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "{"}]}),
            "messages[1].role",
        ),
        (json!({"messages": [{"role": "user"}]}), "messages[0].content"),
        (user(&json!(7)), "messages[0].content"),
        (user(&json!([])), "messages[0].content"),
        (assistant(json!([])), "messages[0].content"),
        (block(json!({"text": "x"})), "messages[0].content[1].type"),
        (block(json!({"type": "text"})), "messages[0].content[1].text"),
        (block(json!({"text": 7, "type": "text"})), "messages[0].content[1].text"),
        (
            block(
                json!({"source": {"type": "base64", "data": "", "media_type": "application/pdf"}, "type": "document"}),
            ),
            "messages[0].content[1].type",
        ),
        (block(json!({"type": "search_result", "source": {"type": "x"}})), "messages[0].content[1].type"),
        (
            block(json!({"type": "server_tool_use", "id": "x", "name": "bash", "input": {}})),
            "messages[0].content[1].type",
        ),
        (block(json!({"type": "tool_use", "id": "x", "name": "f", "input": {}})), "messages[0].content[1].type"),
        (block(json!({"type": "thinking", "thinking": "x"})), "messages[0].content[1].type"),
        (block(json!({"type": "image"})), "messages[0].content[1].source"),
        (block(json!({"type": "image", "source": {}})), "messages[0].content[1].source.type"),
        (
            block(json!({"type": "image", "source": {"type": "file", "file_id": "x"}})),
            "messages[0].content[1].source.type",
        ),
        (block(json!({"type": "image", "source": {"type": "url"}})), "messages[0].content[1].source.url"),
        (
            block(json!({"type": "image", "source": {"type": "base64", "media_type": "image/png"}})),
            "messages[0].content[1].source.data",
        ),
        (
            block(json!({"type": "image", "source": {"type": "base64", "media_type": "image/tiff", "data": ""}})),
            "messages[0].content[1].source.media_type",
        ),
        (block(json!({"type": "tool_result", "content": "x"})), "messages[0].content[1].tool_use_id"),
        (block(json!({"type": "tool_result", "tool_use_id": "x", "content": 7})), "messages[0].content[1].content"),
        (
            block(json!({"type": "tool_result", "tool_use_id": "x", "content": [{"type": "document"}]})),
            "messages[0].content[1].content[0].type",
        ),
        (
            block(json!({"type": "tool_result", "tool_use_id": "x", "content": [{"type": "text", "text": []}]})),
            "messages[0].content[1].content[0].text",
        ),
        (assistant(json!([{"type": "image", "source": {"type": "url", "url": "x"}}])), "messages[0].content[0].type"),
        (assistant(json!([{"type": "tool_result", "tool_use_id": "x"}])), "messages[0].content[0].type"),
        (assistant(json!([{"type": "tool_use", "name": "f", "input": {}}])), "messages[0].content[0].id"),
        (assistant(json!([{"type": "tool_use", "id": "x", "input": {}}])), "messages[0].content[0].name"),
        (assistant(json!([{"type": "tool_use", "id": "x", "name": "f"}])), "messages[0].content[0].input"),
        (
            assistant(json!([{"type": "tool_use", "id": "x", "name": "f", "input": "{}"}])),
            "messages[0].content[0].input",
        ),
        (json!({"system": 7}), "system"),
        (json!({"system": [{"type": "image"}]}), "system[0].type"),
        (json!({"system": [{"type": "text"}]}), "system[0].text"),
        (json!({"stop_sequences": ["a", "b", "c", "d", "e"]}), "stop_sequences"),
        (json!({"stop_sequences": ["a", ""]}), "stop_sequences[1]"),
        (json!({"stop_sequences": "a"}), "stop_sequences"),
        (json!({"temperature": 1.1}), "temperature"),
        (json!({"temperature": -0.1}), "temperature"),
        (json!({"top_p": 1.5}), "top_p"),
        (json!({"top_k": 0}), "top_k"),
        (json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}), "tools[0].type"),
        (json!({"tools": [{"type": "bash_20250124", "name": "bash"}]}), "tools[0].type"),
        (json!({"tools": [{"name": "f"}]}), "tools[0].input_schema"),
        (json!({"tools": [{"name": "f", "input_schema": []}]}), "tools[0].input_schema"),
        (json!({"tools": [{"name": "f", "input_schema": {}}, {"name": "a b", "input_schema": {}}]}), "tools[1].name"),
        (json!({"tools": [{"input_schema": {}}]}), "tools[0].name"),
        (json!({"tool_choice": {"type": "required"}}), "tool_choice.type"),
        (json!({"tool_choice": {"type": "tool"}}), "tool_choice.name"),
        (json!({"tool_choice": {"type": "tool", "name": "g"}}), "tool_choice.name"),
        (json!({"thinking": {"type": "on"}}), "thinking.type"),
        (json!({"thinking": {"type": "enabled"}}), "thinking.budget_tokens"),
        (json!({"thinking": {"type": "enabled", "budget_tokens": 1023}}), "thinking.budget_tokens"),
        (json!({"output_config": {"effort": "huge"}}), "output_config.effort"),
        (json!({"output_config": {"format": {"type": "xml"}}}), "output_config.format.type"),
        (json!({"output_config": {"format": {"type": "json_schema"}}}), "output_config.format.schema"),
        (json!({"output_config": {"task_budget": {"total": 1}}}), "output_config.task_budget"),
        (json!({"output_format": {"type": "json_schema"}}), "output_format"),
        (json!({"container": "x"}), "container"),
        (json!({"mcp_servers": []}), "mcp_servers"),
        (json!({"context_management": {"edits": []}}), "context_management"),
    ];
    for (change, field) in cases {
        let error = asked(&change).expect_err(field);
        assert_eq!(error.param(), Some(field), "{change}: {error}");
    }
}

#[test]
fn errors_found_later_are_told_in_the_callers_own_terms_too() {
    let body = with(&json!({
        "system": "Be kind.", "thinking": {"type": "adaptive"},
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]},
                {"type": "text", "text": "see"}
            ]}
        ]
    }));
    let request: MessagesRequest = parse::json(body.to_string().as_bytes()).unwrap();
    let cases = [
        ("messages", "messages"),
        ("messages[0].content", "system"),
        ("messages[1].content", "messages[0].content"),
        ("messages[2]", "messages[1]"),
        ("messages[3].content", "messages[2].content[0].content"),
        ("messages[4].content[0].image_url.url", "messages[2].content[0].content[0].source"),
        ("messages[4].content[0]", "messages[2].content[0].content[0]"),
        ("messages[4].content[1]", "messages[2].content[1]"),
        ("messages[5].content", "messages"),
        ("max_completion_tokens", "max_tokens"),
        ("reasoning_effort", "thinking"),
        ("response_format.json_schema.schema", "output_config.format.schema"),
        ("tools[3].function.parameters.type", "tools[3].input_schema.type"),
        ("model", "model"),
    ];
    for (theirs, own) in cases {
        let error = request.in_own_terms(ApiError::invalid(theirs, "x"));
        assert_eq!((error.param(), error.message()), (Some(own), "x"), "{theirs}");
    }
    assert_eq!(request.in_own_terms(ApiError::invalid("n", "x").at("n")).param(), Some("n"));
}

#[test]
fn tokens_are_counted_without_a_limit_on_them() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}],"system":"x"}"#;
    let chat = parse::json::<CountTokensRequest>(body).unwrap().to_chat().unwrap();
    assert_eq!((chat.messages.len(), chat.max_tokens), (2, None));
    let error = parse::json::<MessagesRequest>(body).unwrap().to_chat().unwrap_err();
    assert_eq!(error.param(), Some("max_tokens"));
    let error = parse::json::<CountTokensRequest>(br#"{"model":"m","messages":[{"role":"x"}]}"#).unwrap_err();
    assert_eq!(error.param(), Some("messages[0].role"));
    assert_eq!(json!(TokenCount { input_tokens: 7 }), json!({"input_tokens": 7}));
}
