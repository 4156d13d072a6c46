//! Answers in Anthropic's words: the events of streams, and whole.

use peerway_openapi::chat::{Assembler, ChatChunk, ChatCompletion, Delta, FinishReason};
use peerway_openapi::messages::{AnswerBlock, BlockDelta, MessagesAnswer, MessagesDialect, MessagesEvent};
use peerway_openapi::usage::{CostDetails, Usage};
use peerway_openapi::{ApiError, Dialect, ErrorKind};
use proptest::prelude::*;
use serde_json::{Value, json};

fn dialect() -> MessagesDialect {
    let request = serde_json::json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    let mut dialect = MessagesDialect::new("0a", serde_json::from_value(request).expect("a request"));
    dialect.prompt(9);
    dialect
}

fn piece(delta: &Value) -> ChatChunk {
    let chunk = json!({"id": "i", "created": 1, "model": "node's", "choices": [{"index": 0, "delta": delta}]});
    serde_json::from_value(chunk).expect("a chunk")
}

fn ending(reason: FinishReason, stop_text: Option<&str>) -> ChatChunk {
    let mut chunk = ChatChunk::piece("i", 1, "node's", Delta::default(), Some(reason));
    chunk.choices[0].stop_reason = stop_text.map(str::to_owned);
    chunk
}

fn call(index: u32, id: Option<&str>, name: Option<&str>, arguments: &str) -> Value {
    json!({"tool_calls": [{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}]})
}

fn usage() -> Usage {
    let cost_details = Some(CostDetails { upstream_inference_cost: 0.5, gateway_fee: 0.25 });
    Usage { cost: Some(0.75), cost_details, ..Usage::of_tokens(10, 4, 3) }
}

/// Everything that a stream of these chunks is told as.
fn stream(chunks: &[ChatChunk]) -> String {
    let mut dialect = dialect();
    let mut told = dialect.open().expect("it can be told").to_vec();
    for chunk in chunks {
        told.extend(dialect.piece(chunk.clone()).expect("it can be told"));
    }
    told.extend(dialect.end(usage()).expect("it can be told"));
    String::from_utf8(told).expect("events are text")
}

fn events(told: &str) -> Vec<MessagesEvent> {
    let frames = told.split_terminator("\n\n").map(|frame| {
        let (name, data) = frame.split_once("\ndata: ").expect("a frame has data");
        let event: MessagesEvent = serde_json::from_str(data).expect("an event");
        assert_eq!(name, format!("event: {}", event.name()));
        event
    });
    frames.collect()
}

fn whole(chunks: &[ChatChunk]) -> Value {
    let mut assembler = Assembler::default();
    chunks.iter().for_each(|chunk| assembler.push(chunk.clone()));
    let answer = ChatCompletion { usage: Some(usage()), ..assembler.finish().expect("the answer has an end") };
    serde_json::from_slice(&dialect().whole(answer).expect("it can be told")).expect("it is JSON")
}

/// The answer that a client has put together when the stream is over.
fn put_together(events: &[MessagesEvent]) -> MessagesAnswer {
    let mut answer: Option<MessagesAnswer> = None;
    let (mut open, mut json) = (None, String::new());
    for event in events {
        let content = answer.as_mut().map(|answer| &mut answer.content);
        match event.clone() {
            MessagesEvent::MessageStart { message } => assert_eq!(answer.replace(message), None),
            MessagesEvent::ContentBlockStart { index, content_block } => {
                let content = content.expect("the message has begun");
                assert_eq!((open.replace(index), index as usize), (None, content.len()));
                content.push(content_block);
                json.clear();
            }
            MessagesEvent::ContentBlockDelta { index, delta } => {
                assert_eq!(open, Some(index));
                match (content.and_then(|content| content.last_mut()), delta) {
                    (Some(AnswerBlock::Text { text }), BlockDelta::TextDelta { text: more }) => text.push_str(&more),
                    (Some(AnswerBlock::Thinking { thinking, .. }), BlockDelta::ThinkingDelta { thinking: more }) => {
                        thinking.push_str(&more);
                    }
                    (Some(AnswerBlock::Thinking { signature, .. }), BlockDelta::SignatureDelta { signature: more }) => {
                        *signature = more;
                    }
                    (Some(AnswerBlock::ToolUse { .. }), BlockDelta::InputJsonDelta { partial_json }) => {
                        json.push_str(&partial_json);
                    }
                    (block, delta) => panic!("{delta:?} in {block:?}"),
                }
            }
            MessagesEvent::ContentBlockStop { index } => {
                assert_eq!(open.take(), Some(index));
                if let Some(AnswerBlock::ToolUse { input, .. }) = content.and_then(|content| content.last_mut())
                    && !json.is_empty()
                {
                    *input = serde_json::from_str(&json).expect("arguments are JSON");
                }
            }
            MessagesEvent::MessageDelta { delta, usage } => {
                assert_eq!(open, None);
                let answer = answer.as_mut().expect("the message has begun");
                answer.stop_reason = Some(delta.stop_reason);
                answer.stop_sequence = delta.stop_sequence;
                answer.usage = usage;
            }
            MessagesEvent::MessageStop => {}
            MessagesEvent::Ping | MessagesEvent::Error { .. } => panic!("{event:?} in a stream without faults"),
        }
    }
    assert_eq!(events.last(), Some(&MessagesEvent::MessageStop));
    answer.expect("a stream has a message")
}

#[test]
fn a_text_is_told_as_anthropic_tells_it() {
    let chunks = [
        piece(&json!({"role": "assistant", "content": ""})),
        piece(&json!({"content": "Hel"})),
        piece(&json!({"content": "lo"})),
        ending(FinishReason::Stop, Some("END")),
    ];
    let expected = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_0a","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"END"},"usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":3,"cost":0.75,"cost_details":{"upstream_inference_cost":0.5,"gateway_fee":0.25}}}

event: message_stop
data: {"type":"message_stop"}

"#;
    assert_eq!(stream(&chunks), expected);
}

#[test]
fn thoughts_and_calls_are_blocks_of_their_own() {
    let chunks = [
        piece(&json!({"role": "assistant", "reasoning_content": "So"})),
        piece(&json!({"content": "I look."})),
        piece(&call(0, Some("call_1"), Some("zoom"), "")),
        piece(&call(0, None, None, "{\"by\"")),
        piece(&call(0, None, None, ":2}")),
        piece(&call(1, None, Some("crop"), "")),
        ending(FinishReason::ToolCalls, None),
    ];
    let told: Vec<Value> = events(&stream(&chunks)).iter().skip(1).map(|event| json!(event)).collect();
    let start =
        |index: u32, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let delta = |index: u32, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let stop = |index: u32| json!({"type": "content_block_stop", "index": index});
    let expected = [
        start(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "So"})),
        delta(0, json!({"type": "signature_delta", "signature": ""})),
        stop(0),
        start(1, json!({"type": "text", "text": ""})),
        delta(1, json!({"type": "text_delta", "text": "I look."})),
        stop(1),
        start(2, json!({"type": "tool_use", "id": "call_1", "name": "zoom", "input": {}})),
        delta(2, json!({"type": "input_json_delta", "partial_json": "{\"by\""})),
        delta(2, json!({"type": "input_json_delta", "partial_json": ":2}"})),
        stop(2),
        start(3, json!({"type": "tool_use", "id": "toolu_0a_1", "name": "crop", "input": {}})),
        stop(3),
    ];
    assert_eq!(told[..expected.len()], expected);
    assert_eq!(told[expected.len()]["delta"], json!({"stop_reason": "tool_use", "stop_sequence": null}));
    assert_eq!(told.len(), expected.len() + 2);
    let expected = json!({
        "id": "msg_0a", "type": "message", "role": "assistant", "model": "m",
        "content": [
            {"type": "thinking", "thinking": "So", "signature": ""},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "call_1", "name": "zoom", "input": {"by": 2}},
            {"type": "tool_use", "id": "toolu_0a_1", "name": "crop", "input": {}}
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 6, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 4, "output_tokens": 3,
            "cost": 0.75, "cost_details": {"upstream_inference_cost": 0.5, "gateway_fee": 0.25}}
    });
    assert_eq!(whole(&chunks), expected);
}

#[test]
fn every_reason_to_stop_has_its_name() {
    let cases = [
        (FinishReason::Stop, None, "end_turn"),
        (FinishReason::Stop, Some("x"), "stop_sequence"),
        (FinishReason::Length, None, "max_tokens"),
        (FinishReason::ToolCalls, None, "tool_use"),
        (FinishReason::ContentFilter, None, "refusal"),
    ];
    for (reason, stop_text, expected) in cases {
        let chunks = [ending(reason, stop_text)];
        let told = put_together(&events(&stream(&chunks)));
        assert_eq!((json!(told.stop_reason), told.stop_sequence.as_deref()), (json!(expected), stop_text));
        assert_eq!(whole(&chunks), json!(told));
    }
    let called = [piece(&call(0, Some("c"), Some("f"), "{}")), ending(FinishReason::Stop, None)];
    assert_eq!(whole(&called)["stop_reason"], "tool_use");
    assert_eq!(json!(put_together(&events(&stream(&called)))), whole(&called));
}

#[test]
fn arguments_that_are_no_object_are_kept_as_text() {
    for arguments in ["{\"by\": ", "[1]", "7"] {
        let chunks = [piece(&call(0, Some("c"), Some("f"), arguments)), ending(FinishReason::Length, None)];
        assert_eq!(whole(&chunks)["content"][0]["input"], json!({"INVALID_JSON": arguments}));
    }
}

#[test]
fn a_call_that_goes_on_after_its_end_is_an_error() {
    let mut dialect = dialect();
    for delta in [call(0, Some("a"), Some("f"), "{"), call(1, Some("b"), Some("g"), "{")] {
        dialect.piece(piece(&delta)).unwrap();
    }
    assert!(dialect.piece(piece(&call(0, None, None, "}"))).is_err());
    assert!(dialect.piece(piece(&call(1, None, None, "}"))).is_ok());
}

#[test]
fn only_the_first_answer_is_told() {
    let mut second = piece(&json!({"content": "no"}));
    second.choices[0].index = 1;
    assert_eq!(dialect().piece(second).unwrap(), "");
}

#[test]
fn a_stream_that_broke_ends_with_the_error() {
    let error = ApiError::new(ErrorKind::StreamBroken, "The node is gone.");
    let expected = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"The node is gone.\"}}\n\n";
    assert_eq!(dialect().broken(&error).unwrap(), expected);
    assert_eq!(dialect().keep_alive(), MessagesEvent::Ping.frame().unwrap());
    assert_eq!(dialect().keep_alive(), "event: ping\ndata: {\"type\":\"ping\"}\n\n");
    let refusal = dialect().refusal(&ApiError::new(ErrorKind::NoHealthyNode, "none"));
    assert_eq!((refusal.status().as_u16(), &refusal.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    let body: Value = serde_json::from_slice(refusal.body()).unwrap();
    assert_eq!(body, json!({"type": "error", "error": {"type": "overloaded_error", "message": "none"}}));
}

/// A text cut into pieces at any character.
fn cut(text: &str, places: &[prop::sample::Index]) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut ends: Vec<_> = places.iter().map(|place| place.index(characters.len() + 1)).collect();
    ends.push(characters.len());
    ends.sort_unstable();
    let starts = [0].into_iter().chain(ends.clone());
    starts.zip(&ends).map(|(start, end)| characters[start..*end].iter().collect()).collect()
}

proptest! {
    #[test]
    fn what_is_streamed_is_what_is_told_whole(
        thoughts in "[a-c\u{e4}\n\"]{0,8}",
        text in "[a-c\u{20ac}\n]{0,8}",
        calls in prop::collection::vec("[a-c\"\\\\]{0,6}", 0..3),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        reason in prop::sample::select(vec![FinishReason::Stop, FinishReason::Length, FinishReason::ToolCalls]),
        has_stop_text in any::<bool>(),
    ) {
        let mut chunks = vec![piece(&json!({"role": "assistant", "content": ""}))];
        chunks.extend(cut(&thoughts, &places).iter().map(|text| piece(&json!({"reasoning_content": text}))));
        chunks.extend(cut(&text, &places).iter().map(|text| piece(&json!({"content": text}))));
        for (index, argument) in (0..).zip(&calls) {
            let id = format!("call_{index}");
            chunks.push(piece(&call(index, Some(&id), Some("f"), "")));
            let arguments = json!({"x": argument}).to_string();
            chunks.extend(cut(&arguments, &places).iter().map(|text| piece(&call(index, None, None, text))));
        }
        chunks.push(ending(reason, has_stop_text.then_some("END")));
        let told = put_together(&events(&stream(&chunks)));
        prop_assert_eq!(json!(told), whole(&chunks));
        let mut expected = Vec::new();
        if !thoughts.is_empty() {
            expected.push(json!({"type": "thinking", "thinking": thoughts, "signature": ""}));
        }
        if !text.is_empty() {
            expected.push(json!({"type": "text", "text": text}));
        }
        for (index, argument) in calls.iter().enumerate() {
            expected.push(json!({"type": "tool_use", "id": format!("call_{index}"), "name": "f", "input": {"x": argument}}));
        }
        prop_assert_eq!(json!(told.content), json!(expected));
    }
}

#[test]
fn a_message_names_the_model_that_serves_from_its_first_event_on() {
    let mut dialect = dialect();
    dialect.serves("fallback");
    let told = String::from_utf8(dialect.open().expect("it opens").to_vec()).expect("it is a text");
    assert!(told.contains(r#""model":"fallback""#), "{told}");
}
