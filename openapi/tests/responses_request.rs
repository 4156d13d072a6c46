//! Requests for responses: what is read, what is refused and by which name, and what nodes are asked.

#![allow(clippy::unwrap_used)] // a test that cannot go on says where

use std::collections::BTreeMap;

use async_openai::types::responses as client;
use peerway_openapi::chat::{Message, Role};
use peerway_openapi::responses::{CreateResponse, InputItem, ItemList, Order, OutputItem, Turn};
use peerway_openapi::{ApiError, parse};
use serde_json::{Map, Value, json};

fn request(change: Value) -> Result<CreateResponse, ApiError> {
    let mut body = json!({"model": "m", "input": "hi"});
    body.as_object_mut().unwrap().extend(serde_json::from_value::<Map<String, Value>>(change).unwrap());
    parse::json(&serde_json::to_vec(&body).unwrap())
}

/// The field named by the first step that refuses: reading, validation, translation.
fn refused(change: Value) -> Option<String> {
    let outcome = request(change).and_then(|request| {
        request.validate()?;
        request.to_chat(Vec::new()).map(drop)
    });
    outcome.err().map(|error| error.param().unwrap_or("no field").to_owned())
}

fn chat(change: Value) -> Value {
    let chat = request(change).unwrap().to_chat(Vec::new()).unwrap();
    serde_json::to_value(chat).unwrap()
}

fn messages(input: &Value) -> Value {
    chat(json!({"input": input}))["messages"].clone()
}

#[test]
fn errors_name_the_field() {
    let pairs: BTreeMap<_, _> = (0..17).map(|n| (n.to_string(), "x")).collect();
    let cases = [
        (json!({"input": 7}), "input"),
        (json!({"input": []}), "input"),
        (json!({"model": ""}), "model"),
        (json!({"input": [{}]}), "input[0].type"),
        (json!({"input": [{"role": "user"}]}), "input[0].content"),
        (json!({"input": [{"role": "tool", "content": "x"}]}), "input[0].role"),
        (json!({"input": [{"content": "x", "type": "message"}]}), "input[0].role"),
        (json!({"input": [{"role": "user", "content": "x"}, {"type": "item_reference", "id": "y"}]}), "input[1].type"),
        (json!({"input": [{"type": "web_search_call"}]}), "input[0].type"),
        (json!({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}), "input[0].arguments"),
        (json!({"input": [{"type": "function_call_output", "output": "x"}]}), "input[0].call_id"),
        (
            json!({"input": [{"type": "function_call_output", "call_id": "c",
                "output": [{"type": "input_image", "image_url": "data:,"}]}]}),
            "input[0]",
        ),
        (json!({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}), "input[0].content[0].text"),
        (json!({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}), "input[0].content[0].type"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "x"},
                {"type": "input_image", "file_id": "f"}]}]}),
            "input[0].content[1].file_id",
        ),
        (json!({"input": [{"role": "system", "content": [{"type": "input_image", "image_url": "data:,"}]}]}), "input"),
        (json!({"input": [{"role": "user", "content": []}]}), "input"),
        (json!({"prompt": {"id": "p"}}), "prompt"),
        (json!({"conversation": "c"}), "conversation"),
        (json!({"max_tool_calls": 1}), "max_tool_calls"),
        (json!({"truncation": "auto"}), "truncation"),
        (json!({"reasoning": {"summary": "detailed"}}), "reasoning.summary"),
        (json!({"reasoning": {"effort": "huge"}}), "reasoning.effort"),
        (json!({"background": true, "store": false}), "background"),
        (json!({"include": ["file_search_call.results"]}), "include[0]"),
        (json!({"metadata": pairs}), "metadata"),
        (json!({"metadata": {"k".repeat(65): "x"}}), "metadata"),
        (json!({"metadata": {"k": "x".repeat(513)}}), "metadata.k"),
        (json!({"metadata": {"k": 7}}), "metadata.k"),
        (json!({"tools": [{"type": "function", "name": "f"}, {"type": "web_search"}]}), "tools[1].type"),
        (json!({"tools": [{"type": "function"}]}), "tools[0].name"),
        (json!({"tool_choice": {"type": "function", "name": "f"}}), "tool_choice"),
        (json!({"tool_choice": {"type": "web_search"}}), "tool_choice.type"),
        (json!({"tool_choice": {"type": "function"}}), "tool_choice.name"),
        (json!({"max_output_tokens": 0}), "max_output_tokens"),
        (json!({"top_logprobs": 21}), "top_logprobs"),
        (json!({"temperature": 3}), "temperature"),
        (json!({"text": {"verbosity": "low"}}), "text.verbosity"),
        (json!({"text": {"format": {"type": "json_schema", "name": "x"}}}), "text.format.schema"),
        (json!({"text": {"format": {"type": "regex", "regex": ""}}}), "text.format.regex"),
    ];
    for (change, field) in cases {
        assert_eq!(refused(change.clone()).as_deref(), Some(field), "{change}");
    }
}

#[test]
fn what_clients_send_by_habit_is_accepted() {
    let habits = [
        json!({"prompt": null, "conversation": null, "max_tool_calls": null, "truncation": "disabled"}),
        json!({"include": ["reasoning.encrypted_content"], "store": false, "service_tier": "auto"}),
        json!({"stream": true, "stream_options": {"include_obfuscation": false}, "user": "x", "safety_identifier": "y"}),
        json!({"reasoning": {"effort": "low", "summary": "auto"}, "text": {"format": {"type": "text"}}}),
        json!({"metadata": {"k".repeat(64): "ü".repeat(512)}, "background": true}),
        json!({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,", "file_id": null}]}]}),
        json!({"tools": [], "tool_choice": "auto", "parallel_tool_calls": true, "seed": null}),
    ];
    for habit in habits {
        assert_eq!(refused(habit.clone()), None, "{habit}");
    }
}

#[test]
fn unsaid_is_stored_and_not_streamed() {
    let plain = request(json!({})).unwrap();
    assert_eq!((plain.is_stored(), plain.is_stream(), plain.is_background()), (true, false, false));
}

#[test]
fn settings_have_their_chat_names() {
    let sent = json!({
        "instructions": "Be brief.", "stream": true, "max_output_tokens": 9, "temperature": 0.5, "top_p": 0.75,
        "top_k": 4, "min_p": 0.25, "repetition_penalty": 1.5, "seed": 3, "top_logprobs": 2, "parallel_tool_calls": false,
        "tools": [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true}],
        "tool_choice": {"type": "function", "name": "f"}, "reasoning": {"effort": "low"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true}}
    });
    let expected = json!({
        "model": "m", "stream": true, "max_completion_tokens": 9, "temperature": 0.5, "top_p": 0.75, "top_k": 4,
        "min_p": 0.25, "repetition_penalty": 1.5, "seed": 3, "logprobs": true, "top_logprobs": 2,
        "parallel_tool_calls": false, "reasoning_effort": "low",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function":
            {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": true}}
    });
    assert_eq!(chat(sent), expected);
    assert_eq!(chat(json!({"include": ["message.output_text.logprobs"]}))["logprobs"], true);
    assert_eq!(chat(json!({})), json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]}));
}

#[test]
fn items_become_messages() {
    let input = json!([
        {"role": "developer", "content": "d"},
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "look"}, {"type": "input_image", "image_url": "data:,", "detail": "low"},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}", "id": "fc_1", "status": "completed"},
        {"type": "function_call", "call_id": "b", "name": "g", "arguments": "{\"x\":1}"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "2"}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "done", "annotations": []}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    ]);
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let expected = json!([
        {"role": "developer", "content": "d"},
        {"role": "user", "content": [
            {"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:,", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]},
        {"role": "assistant", "tool_calls": [call("a", "f", "{}"), call("b", "g", "{\"x\":1}")]},
        {"role": "tool", "content": "1", "tool_call_id": "a"},
        {"role": "tool", "content": "2", "tool_call_id": "b"},
        {"role": "assistant", "content": "done", "tool_calls": [call("c", "f", "{}")]}
    ]);
    assert_eq!(messages(&input), expected);
}

#[test]
fn a_turn_comes_between_instructions_and_input() {
    let output = json!([
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [], "status": "completed"},
        {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": "hello", "annotations": [], "logprobs": []}]}
    ]);
    let output: Vec<OutputItem> = serde_json::from_value(output).unwrap();
    let turn = Turn { input: request(json!({})).unwrap().items("0a"), output };
    let kept: Turn = serde_json::from_str(&serde_json::to_string(&turn).unwrap()).unwrap();
    assert_eq!(kept, turn);
    let next = request(json!({"input": "more", "instructions": "new"})).unwrap();
    let said: Vec<_> = next.to_chat(kept.messages()).unwrap().messages;
    let expected = [
        Message::text(Role::System, "new"),
        Message::text(Role::User, "hi"),
        Message::text(Role::Assistant, "hello"),
        Message::text(Role::User, "more"),
    ];
    assert_eq!(said, expected);
}

fn kinds() -> Vec<InputItem> {
    let input = json!([
        {"role": "user", "content": "hi"},
        {"role": "user", "content": [{"type": "input_image", "image_url": "data:,"}]},
        {"role": "assistant", "content": "ho", "id": "msg_mine"},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    ]);
    request(json!({"input": input})).unwrap().items("0a")
}

#[test]
fn kept_items_have_ids_and_their_official_form() {
    let items = kinds();
    let expected = json!([
        {"type": "message", "id": "msg_0a_i0", "status": "completed", "role": "user",
            "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "message", "id": "msg_0a_i1", "status": "completed", "role": "user",
            "content": [{"type": "input_image", "image_url": "data:,", "detail": "auto"}]},
        {"type": "message", "id": "msg_mine", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": "ho", "annotations": [], "logprobs": []}]},
        {"type": "function_call", "id": "fc_0a_i3", "status": "completed", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "id": "fco_0a_i4", "status": "completed", "call_id": "a", "output": "1"},
        {"type": "reasoning", "id": "rs_0a_i5", "status": "completed", "summary": [],
            "content": [{"type": "reasoning_text", "text": "hm"}]}
    ]);
    assert_eq!(serde_json::to_value(&items).unwrap(), expected);
}

#[test]
fn clients_read_every_kind_of_item() {
    let list = ItemList::page(kinds(), None, 100, Order::Asc).unwrap();
    let read: client::ResponseItemList = serde_json::from_str(&serde_json::to_string(&list).unwrap()).unwrap();
    assert_eq!((read.data.len(), read.last_id.as_deref(), read.has_more), (6, Some("rs_0a_i5"), false));
    // The client takes whatever has an id for a reference first, so that each is held against the kinds alone as well.
    for item in &list.data {
        let item = serde_json::to_value(item).unwrap();
        let read: client::ItemResourceItem = serde_json::from_value(item.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap()["type"], item["type"]);
    }
}

#[test]
fn pages_follow_each_other() {
    let ids = |after: Option<&str>, limit, order| {
        let page = ItemList::page(kinds(), after, limit, order).unwrap();
        let ids: Vec<_> = page.data.iter().map(|item| item.id().unwrap().to_owned()).collect();
        assert_eq!((page.first_id.as_ref(), page.last_id.as_ref()), (ids.first(), ids.last()));
        (ids, page.has_more)
    };
    let of = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(None, 2, Order::Asc), (of(&["msg_0a_i0", "msg_0a_i1"]), true));
    assert_eq!(ids(Some("fc_0a_i3"), 2, Order::Asc), (of(&["fco_0a_i4", "rs_0a_i5"]), false));
    assert_eq!(ids(Some("fc_0a_i3"), 2, Order::Desc), (of(&["msg_mine", "msg_0a_i1"]), true));
    assert_eq!(ids(Some("rs_0a_i5"), 2, Order::Asc), (of(&[]), false));
    for (after, limit, field) in [(Some("x"), 2, "after"), (None, 0, "limit"), (None, 101, "limit")] {
        assert_eq!(ItemList::page(kinds(), after, limit, Order::Asc).unwrap_err().param(), Some(field));
    }
}

#[test]
fn requests_of_the_official_client_are_read() {
    let built = client::CreateResponseArgs::default()
        .model("m")
        .input("hi")
        .instructions("be brief")
        .max_output_tokens(5_u32)
        .build()
        .unwrap();
    let read: CreateResponse = parse::json(&serde_json::to_vec(&built).unwrap()).unwrap();
    read.validate().unwrap();
    assert_eq!(read.to_chat(Vec::new()).unwrap().messages.len(), 2);
}
