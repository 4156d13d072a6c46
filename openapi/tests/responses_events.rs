//! Answers as responses: the events of a stream, one after the other, and what they add up to.

#![allow(clippy::unwrap_used)] // a test that cannot go on says where

use async_openai::types::responses as client;
use bytes::Bytes;
use peerway_openapi::chat::{Assembler, ChatChunk, Delta, FinishReason, FunctionCallDelta, ToolCallDelta};
use peerway_openapi::responses::{
    CreateResponse, DeletedResponse, Input, ResponseStatus, ResponsesDialect, sequence_of, split_frames,
};
use peerway_openapi::usage::{CostDetails, Usage};
use peerway_openapi::{ApiError, Dialect, ErrorKind};
use proptest::prelude::*;
use serde_json::{Value, json};

fn request() -> CreateResponse {
    CreateResponse { model: "m".into(), input: Input::text("hi"), ..CreateResponse::default() }
}

fn dialect() -> ResponsesDialect {
    ResponsesDialect::new(&request(), "0a", 7)
}

fn usage() -> Usage {
    let cost_details = Some(CostDetails { upstream_inference_cost: 0.5, gateway_fee: 0.25 });
    Usage { cost: Some(0.75), cost_details, ..Usage::of_tokens(3, 1, 2) }
}

fn piece(delta: Delta, finish: Option<FinishReason>) -> ChatChunk {
    ChatChunk::piece("chatcmpl-1", 1, "node's", delta, finish)
}

fn thought(text: &str) -> Delta {
    Delta { reasoning_content: Some(text.into()), ..Delta::default() }
}

fn call(index: u32, id: Option<&str>, name: Option<&str>, arguments: &str) -> Delta {
    let function = FunctionCallDelta { name: name.map(str::to_owned), arguments: Some(arguments.into()) };
    let delta = ToolCallDelta { index, id: id.map(str::to_owned), kind: None, function: Some(function) };
    Delta { tool_calls: Some(vec![delta]), ..Delta::default() }
}

/// The frames of a stream, one by one.
fn frames(dialect: &mut ResponsesDialect, chunks: &[ChatChunk]) -> Vec<Bytes> {
    let mut written = vec![dialect.open().unwrap()];
    written.extend(chunks.iter().map(|chunk| dialect.piece(chunk.clone()).unwrap()));
    written.push(dialect.end(usage()).unwrap());
    written.iter().flat_map(split_frames).collect()
}

/// The data of frames, after a look at what all of them have in common and by the official client.
fn events(frames: &[Bytes]) -> Vec<Value> {
    let read = |(number, frame): (usize, &Bytes)| {
        let text = std::str::from_utf8(frame).unwrap();
        let (event, data) = text.strip_suffix("\n\n").unwrap().split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(event.strip_prefix("event: "), data["type"].as_str());
        assert_eq!(data["sequence_number"], number);
        assert_eq!(sequence_of(frame), Some(number as u64));
        if let Err(error) = serde_json::from_value::<client::ResponseStreamEvent>(data.clone()) {
            panic!("{error}: {data}");
        }
        data
    };
    frames.iter().enumerate().map(read).collect()
}

fn streamed(chunks: &[ChatChunk]) -> Vec<Value> {
    events(&frames(&mut dialect(), chunks))
}

/// An event in short: its name less `response.`, the item's place, and what is new.
fn short(event: &Value) -> String {
    let name = event["type"].as_str().unwrap().strip_prefix("response.").unwrap();
    let place = event["output_index"].as_u64().map(|place| place.to_string());
    let new = ["delta", "text", "arguments"].iter().find_map(|key| event[*key].as_str());
    let status = event["item"]["status"].as_str().or_else(|| event["response"]["status"].as_str());
    let said: Vec<_> = [Some(name), place.as_deref(), new, status].into_iter().flatten().collect();
    said.join(" ")
}

fn shorts(chunks: &[ChatChunk]) -> Vec<String> {
    streamed(chunks).iter().map(short).collect()
}

#[test]
fn text_is_told_in_full() {
    let chunks = [
        piece(Delta::opening(), None),
        piece(Delta::text("Hel"), None),
        piece(Delta::text("lo"), Some(FinishReason::Stop)),
    ];
    let told = streamed(&chunks);
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    let item = |status: &str, content: Value| json!({"type": "message", "id": "msg_0a", "status": status, "role": "assistant", "content": content});
    let at = json!({"item_id": "msg_0a", "output_index": 0, "content_index": 0});
    let of = |kind: &str, number: u32, fields: Value| {
        let mut event = json!({"type": kind, "sequence_number": number});
        event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        event
    };
    let within = |kind: &str, number: u32, fields: Value| {
        let mut event = of(kind, number, fields);
        event.as_object_mut().unwrap().extend(at.as_object().unwrap().clone());
        event
    };
    let begun = json!({
        "id": "resp_0a", "object": "response", "created_at": 7, "completed_at": null, "status": "in_progress",
        "background": false, "error": null, "incomplete_details": null, "instructions": null, "max_output_tokens": null,
        "model": "m", "output": [], "parallel_tool_calls": true, "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null}, "store": true, "temperature": null,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": null, "top_logprobs": 0,
        "truncation": "disabled", "metadata": {}, "service_tier": "default"
    });
    let mut done = begun.clone();
    done["status"] = json!("completed");
    done["output"] = json!([item("completed", json!([part("Hello")]))]);
    done["usage"] = json!({
        "input_tokens": 3, "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0}, "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 5, "cost": 0.75,
        "cost_details": {"upstream_inference_cost": 0.5, "gateway_fee": 0.25}
    });
    let expected = [
        of("response.created", 0, json!({"response": begun})),
        of("response.in_progress", 1, json!({"response": begun})),
        of("response.output_item.added", 2, json!({"output_index": 0, "item": item("in_progress", json!([]))})),
        within("response.content_part.added", 3, json!({"part": part("")})),
        within("response.output_text.delta", 4, json!({"delta": "Hel", "logprobs": []})),
        within("response.output_text.delta", 5, json!({"delta": "lo", "logprobs": []})),
        within("response.output_text.done", 6, json!({"text": "Hello", "logprobs": []})),
        within("response.content_part.done", 7, json!({"part": part("Hello")})),
        of(
            "response.output_item.done",
            8,
            json!({"output_index": 0, "item": item("completed", json!([part("Hello")]))}),
        ),
        of("response.completed", 9, json!({"response": done})),
    ];
    assert_eq!(told, expected);
}

#[test]
fn calls_in_parallel_end_one_after_the_other() {
    let chunks = [
        piece(call(0, Some("a"), Some("f"), ""), None),
        piece(call(0, None, None, "{\"x\":"), None),
        piece(call(0, None, None, "1}"), None),
        piece(call(1, Some("b"), Some("g"), "{}"), None),
        piece(Delta::default(), Some(FinishReason::ToolCalls)),
    ];
    let expected = [
        "created in_progress",
        "in_progress in_progress",
        "output_item.added 0 in_progress",
        "function_call_arguments.delta 0 {\"x\":",
        "function_call_arguments.delta 0 1}",
        "function_call_arguments.done 0 {\"x\":1}",
        "output_item.done 0 completed",
        "output_item.added 1 in_progress",
        "function_call_arguments.delta 1 {}",
        "function_call_arguments.done 1 {}",
        "output_item.done 1 completed",
        "completed completed",
    ];
    assert_eq!(shorts(&chunks), expected);
    let output = streamed(&chunks).pop().unwrap()["response"]["output"].take();
    let expected = json!([
        {"type": "function_call", "id": "fc_0a_0", "call_id": "a", "name": "f", "arguments": "{\"x\":1}", "status": "completed"},
        {"type": "function_call", "id": "fc_0a_1", "call_id": "b", "name": "g", "arguments": "{}", "status": "completed"}
    ]);
    assert_eq!(output, expected);
}

#[test]
fn interleaved_calls_lose_nothing() {
    let chunks = [
        piece(call(0, Some("a"), Some("f"), "{\"x\""), None),
        piece(call(1, Some("b"), Some("g"), "{\"y\""), None),
        piece(call(0, None, None, ":1}"), None),
        piece(call(1, None, None, ":2}"), Some(FinishReason::ToolCalls)),
    ];
    let response = streamed(&chunks).pop().unwrap()["response"].take();
    assert_eq!(response["output"][0]["arguments"], "{\"x\":1}");
    assert_eq!(response["output"][1]["arguments"], "{\"y\":2}");
}

#[test]
fn thoughts_end_where_text_begins() {
    let chunks =
        [piece(thought("h"), None), piece(thought("m"), None), piece(Delta::text("Hi"), Some(FinishReason::Stop))];
    let expected = [
        "created in_progress",
        "in_progress in_progress",
        "output_item.added 0 in_progress",
        "content_part.added 0",
        "reasoning_text.delta 0 h",
        "reasoning_text.delta 0 m",
        "reasoning_text.done 0 hm",
        "content_part.done 0",
        "output_item.done 0 completed",
        "output_item.added 1 in_progress",
        "content_part.added 1",
        "output_text.delta 1 Hi",
        "output_text.done 1 Hi",
        "content_part.done 1",
        "output_item.done 1 completed",
        "completed completed",
    ];
    assert_eq!(shorts(&chunks), expected);
    let item = &streamed(&chunks).pop().unwrap()["response"]["output"][0];
    let thoughts = json!([{"type": "reasoning_text", "text": "hm"}]);
    assert_eq!(
        *item,
        json!({"type": "reasoning", "id": "rs_0a", "summary": [], "content": thoughts, "status": "completed"})
    );
}

#[test]
fn limits_leave_a_response_incomplete() {
    for (finish, reason) in
        [(FinishReason::Length, "max_output_tokens"), (FinishReason::ContentFilter, "content_filter")]
    {
        let told = streamed(&[piece(Delta::text("Hi"), None), piece(Delta::default(), Some(finish))]);
        let last: Vec<_> = told.iter().rev().take(2).rev().map(short).collect();
        assert_eq!(last, ["output_item.done 0 incomplete", "incomplete incomplete"]);
        let response = &told.last().unwrap()["response"];
        assert_eq!(response["incomplete_details"], json!({"reason": reason}));
        assert_eq!((&response["usage"]["total_tokens"], &response["completed_at"]), (&json!(5), &Value::Null));
    }
}

#[test]
fn broken_streams_end_with_what_came() {
    let error = ApiError::new(ErrorKind::StreamBroken, "The node failed.");
    let mut dialect = dialect();
    let written = [dialect.piece(piece(Delta::text("Hi"), None)).unwrap(), dialect.broken(&error).unwrap()];
    let told = events(&written.iter().flat_map(split_frames).collect::<Vec<_>>());
    let expected = [
        "created in_progress",
        "in_progress in_progress",
        "output_item.added 0 in_progress",
        "content_part.added 0",
        "output_text.delta 0 Hi",
        "failed failed",
    ];
    assert_eq!(told.iter().map(short).collect::<Vec<_>>(), expected);
    let response = &told[5]["response"];
    assert_eq!(response["error"], json!({"code": "server_error", "message": "The node failed."}));
    assert_eq!(response["output"][0]["status"], "incomplete");
}

#[test]
fn streams_that_never_opened_fail_in_order() {
    let error = ApiError::new(ErrorKind::Overloaded, "Later.");
    let told = events(&split_frames(&dialect().broken(&error).unwrap()).collect::<Vec<_>>());
    assert_eq!(
        told.iter().map(short).collect::<Vec<_>>(),
        ["created in_progress", "in_progress in_progress", "failed failed"]
    );
    assert_eq!(told[2]["response"]["error"]["code"], "rate_limit_exceeded");
}

#[test]
fn who_waits_is_told_so() {
    let mut dialect = dialect();
    dialect.queued();
    assert_eq!(dialect.response().status, ResponseStatus::Queued);
    let told = events(&split_frames(&dialect.open().unwrap()).collect::<Vec<_>>());
    assert_eq!(
        told.iter().map(short).collect::<Vec<_>>(),
        ["created queued", "queued queued", "in_progress in_progress"]
    );
    assert_eq!(dialect.response().status, ResponseStatus::InProgress);
}

#[test]
fn the_response_grows_with_its_pieces_and_ends_once() {
    let mut dialect = dialect();
    dialect.piece(piece(Delta::text("Hi"), None)).unwrap();
    let so_far = serde_json::to_value(dialect.response()).unwrap();
    assert_eq!(so_far["output"][0]["content"][0]["text"], "Hi");
    dialect.cancel();
    dialect.fail(&ApiError::new(ErrorKind::Internal, "late"));
    dialect.queued();
    dialect.bill(usage());
    let cancelled = serde_json::to_value(dialect.response()).unwrap();
    assert_eq!((&cancelled["status"], &cancelled["error"]), (&json!("cancelled"), &Value::Null));
    assert_eq!((&cancelled["output"][0]["status"], &cancelled["usage"]["cost"]), (&json!("incomplete"), &json!(0.75)));
}

#[test]
fn who_cancels_is_told_no_more() {
    let mut dialect = dialect();
    dialect.open().unwrap();
    dialect.piece(piece(Delta::text("Hel"), None)).unwrap();
    dialect.cancel();
    assert!(dialect.piece(piece(Delta::text("lo"), Some(FinishReason::Stop))).unwrap().is_empty());
    assert!(dialect.end(usage()).unwrap().is_empty());
    assert_eq!(dialect.response().status, ResponseStatus::Cancelled);
}

#[test]
fn log_probabilities_come_with_their_text() {
    let logprobs =
        json!({"content": [{"token": "Hi", "logprob": -0.5, "top_logprobs": [{"token": "Ho", "logprob": -1.5}]}]});
    let mut chunk = piece(Delta::text("Hi"), Some(FinishReason::Stop));
    chunk.choices[0].logprobs = serde_json::from_value(logprobs).unwrap();
    let top = json!([{"token": "Ho", "logprob": -1.5, "bytes": [72, 111]}]);
    let expected = json!([{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": top}]);
    let mut asked = ResponsesDialect::new(&CreateResponse { top_logprobs: Some(1), ..request() }, "0a", 7);
    let told = events(&frames(&mut asked, std::slice::from_ref(&chunk)));
    for event in told.iter().filter(|event| event["type"].as_str().unwrap().contains("output_text")) {
        assert_eq!(event["logprobs"], expected);
    }
    assert_eq!(told.last().unwrap()["response"]["output"][0]["content"][0]["logprobs"], expected);
    let unasked = streamed(&[chunk]);
    assert_eq!(unasked.last().unwrap()["response"]["output"][0]["content"][0]["logprobs"], json!([]));
}

#[test]
fn only_the_first_answer_is_told() {
    let mut other = piece(Delta::text("no"), Some(FinishReason::Length));
    other.choices[0].index = 1;
    let told = streamed(&[other, piece(Delta::text("yes"), Some(FinishReason::Stop))]);
    let response = &told.last().unwrap()["response"];
    assert_eq!((&response["status"], response["output"].as_array().unwrap().len()), (&json!("completed"), 1));
    assert_eq!(response["output"][0]["content"][0]["text"], "yes");
}

#[test]
fn text_after_calls_is_a_message_of_its_own() {
    let chunks = [
        piece(Delta::text("a"), None),
        piece(call(0, Some("c"), Some("f"), "{"), None),
        piece(Delta::text("b"), Some(FinishReason::Stop)),
    ];
    let response = streamed(&chunks).pop().unwrap()["response"].take();
    let ids: Vec<_> = response["output"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["msg_0a", "fc_0a_0", "msg_0a_2"]);
}

#[test]
fn refusals_and_the_hour_of_the_end_are_told() {
    let mut dialect = dialect();
    dialect.finished_at(9);
    let answer = json!({"id": "i", "created": 1, "model": "x", "provider": "peer", "choices": [
        {"index": 0, "message": {"content": null, "refusal": "no"}, "finish_reason": "stop"}]});
    let whole: Value =
        serde_json::from_slice(&dialect.whole(serde_json::from_value(answer).unwrap()).unwrap()).unwrap();
    assert_eq!(whole["output"][0]["content"], json!([{"type": "refusal", "refusal": "no"}]));
    assert_eq!((&whole["completed_at"], &whole["provider"]), (&json!(9), &json!("peer")));
}

#[test]
fn clients_read_a_response_that_says_everything() {
    let body = json!({
        "model": "m", "input": "hi", "instructions": "i", "previous_response_id": "resp_1", "metadata": {"a": "b"},
        "max_output_tokens": 9, "temperature": 0.5, "top_p": 0.5, "top_logprobs": 1, "user": "u", "background": true,
        "tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}, "verbosity": "medium"},
        "reasoning": {"effort": "low", "summary": "auto"}
    });
    let request: CreateResponse = serde_json::from_value(body).unwrap();
    let mut dialect = ResponsesDialect::new(&request, "0a", 7);
    let told = events(&frames(&mut dialect, &[piece(Delta::text("Hi"), Some(FinishReason::Stop))]));
    let response = told.last().unwrap()["response"].clone();
    let read: client::Response = serde_json::from_value(response.clone()).unwrap();
    assert_eq!((read.output_text().as_deref(), read.model.as_str()), (Some("Hi"), "m"));
    let kept: peerway_openapi::responses::Response = serde_json::from_value(response).unwrap();
    assert_eq!(&kept, dialect.response());
    let deleted = serde_json::to_value(DeletedResponse::new("resp_0a")).unwrap();
    assert_eq!(deleted, json!({"id": "resp_0a", "object": "response", "deleted": true}));
    serde_json::from_value::<client::DeleteResponse>(deleted).unwrap();
}

/// A text in pieces, cut anywhere between characters. Empty pieces are among them.
fn cut(text: &str, cuts: &[usize]) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let mut places: Vec<_> = cuts.iter().map(|cut| cut % (letters.len() + 1)).collect();
    places.extend([0, letters.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| letters[pair[0]..pair[1]].iter().collect()).collect()
}

/// What the deltas of each item add up to.
fn summed(told: &[Value]) -> Vec<String> {
    let mut sums = Vec::new();
    for event in told {
        let Some(place) = event["output_index"].as_u64().and_then(|place| usize::try_from(place).ok()) else {
            continue;
        };
        if place == sums.len() {
            sums.push(String::new());
        }
        sums[place].push_str(event["delta"].as_str().unwrap_or_default());
    }
    sums
}

proptest! {
    #[test]
    fn deltas_add_up_to_the_response(
        thoughts in ".{0,8}", said in ".{0,8}", arguments in proptest::collection::vec("[a-z\"\\\\\n]{0,6}", 0..3),
        cuts in proptest::collection::vec(0_usize..10, 0..5), length in any::<bool>(),
    ) {
        let arguments: Vec<_> = arguments.iter().map(|text| json!({"x": text}).to_string()).collect();
        let mut chunks = vec![piece(Delta::opening(), None)];
        chunks.extend(cut(&thoughts, &cuts).iter().map(|text| piece(thought(text), None)));
        chunks.extend(cut(&said, &cuts).into_iter().map(|text| piece(Delta::text(text), None)));
        for (index, arguments) in (0..).zip(&arguments) {
            chunks.push(piece(call(index, Some(&format!("c{index}")), Some("f"), ""), None));
            chunks.extend(cut(arguments, &cuts).iter().map(|text| piece(call(index, None, None, text), None)));
        }
        let finish = if length { FinishReason::Length } else { FinishReason::Stop };
        chunks.push(piece(Delta::default(), Some(finish)));

        let told = streamed(&chunks);
        let expected: Vec<_> =
            [&thoughts, &said].into_iter().filter(|text| !text.is_empty()).chain(&arguments).cloned().collect();
        prop_assert_eq!(summed(&told), expected.clone());
        let response = told.last().unwrap()["response"].clone();
        let of = |item: &Value| {
            let text = item["content"][0]["text"].as_str().or(item["arguments"].as_str());
            text.unwrap().to_owned()
        };
        prop_assert_eq!(response["output"].as_array().unwrap().iter().map(of).collect::<Vec<_>>(), expected);
        let done: Vec<_> = told.iter().filter(|event| event["type"] == "response.output_item.done").collect();
        prop_assert_eq!(done.iter().map(|event| event["item"].clone()).collect::<Vec<_>>(), response["output"].as_array().unwrap().clone());

        // The whole answer is the same one.
        let mut assembler = Assembler::default();
        chunks.into_iter().for_each(|chunk| assembler.push(chunk));
        let mut answer = assembler.finish().unwrap();
        answer.usage = Some(usage());
        let whole: Value = serde_json::from_slice(&dialect().whole(answer).unwrap()).unwrap();
        prop_assert_eq!(whole, response);
    }
}

#[test]
fn a_response_names_the_model_that_serves_from_its_first_event_on() {
    let mut dialect = dialect();
    dialect.serves("fallback");
    let told = String::from_utf8(dialect.open().unwrap().to_vec()).unwrap();
    assert_eq!((told.matches(r#""model":"fallback""#).count(), told.matches(r#""model""#).count()), (2, 2), "{told}");
}
