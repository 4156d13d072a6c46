//! What this crate serialises, held against OpenAI's own description of its API.
//!
//! `official/responses.json` holds the names, types and requirements of that description and none of its prose.

mod judge;

use peerway_openapi::chat::{
    AssistantMessage, ChatChunk, ChatCompletion, Choice, Delta, FinishReason, FunctionCall, FunctionCallDelta,
    Logprobs, Role, TokenLogprob, ToolCall, ToolCallDelta, ToolKind, TopLogprob,
};
use peerway_openapi::models::{Metering, Model, ModelList};
use peerway_openapi::usage::Usage;
use peerway_openapi::{ApiError, ErrorKind};
use serde_json::{Value, json};

use judge::mismatch;

fn official() -> Value {
    serde_json::from_str(include_str!("official/responses.json")).expect("the description is JSON")
}

fn check(name: &str, value: &Value) {
    let official = official();
    let defs = &official["$defs"];
    assert!(defs[name].is_object(), "{name} is not described");
    assert_eq!(mismatch(&defs[name], value, defs, name), None);
}

fn logprobs() -> Logprobs {
    let top = TopLogprob { token: "Hi".into(), logprob: -0.1, bytes: Some(b"Hi".to_vec()) };
    let token =
        TokenLogprob { token: "Hi".into(), logprob: -0.1, bytes: Some(b"Hi".to_vec()), top_logprobs: vec![top] };
    Logprobs { content: Some(vec![token]), refusal: None }
}

fn completion() -> ChatCompletion {
    let function = FunctionCall { name: "f".into(), arguments: "{}".into() };
    ChatCompletion {
        id: "chatcmpl-1".into(),
        object: "chat.completion".into(),
        created: 1,
        model: "m".into(),
        choices: vec![Choice {
            index: 0,
            message: AssistantMessage {
                role: Role::Assistant,
                content: None,
                refusal: None,
                reasoning_content: None,
                tool_calls: Some(vec![ToolCall { id: "call_1".into(), kind: ToolKind::Function, function }]),
            },
            finish_reason: FinishReason::ToolCalls,
            logprobs: Some(logprobs()),
            stop_reason: None,
        }],
        usage: Some(Usage::of_tokens(1, 0, 2)),
        provider: Some("peer".into()),
    }
}

#[test]
fn a_whole_answer_fits() {
    check("CreateChatCompletionResponse", &json!(completion()));
    let mut plain = completion();
    plain.choices[0].logprobs = None;
    plain.choices[0].message.tool_calls = None;
    plain.choices[0].message.content = Some("Hi".into());
    check("CreateChatCompletionResponse", &json!(plain));
}

#[test]
fn every_kind_of_chunk_fits() {
    let name = "CreateChatCompletionStreamResponse";
    check(name, &json!(ChatChunk::piece("i", 1, "m", Delta::opening(), None)));
    check(name, &json!(ChatChunk::piece("i", 1, "m", Delta::text("Hi"), None)));
    check(name, &json!(ChatChunk::piece("i", 1, "m", Delta::default(), Some(FinishReason::Length))));
    check(name, &json!(ChatChunk { usage: Some(Usage::of_tokens(1, 0, 2)), ..ChatChunk::empty("i", 1, "m") }));
    let function = FunctionCallDelta { name: Some("f".into()), arguments: Some(String::new()) };
    let call =
        ToolCallDelta { index: 0, id: Some("c".into()), kind: Some(ToolKind::Function), function: Some(function) };
    let mut chunk = ChatChunk::piece("i", 1, "m", Delta { tool_calls: Some(vec![call]), ..Delta::default() }, None);
    chunk.choices[0].logprobs = Some(logprobs());
    check(name, &json!(chunk));
}

#[test]
fn errors_and_models_fit() {
    for error in [ApiError::invalid("n", "one"), ApiError::new(ErrorKind::NoHealthyNode, "none")] {
        check("ErrorResponse", &json!(error.envelope()));
    }
    let model = Model {
        id: "m".into(),
        object: "model".into(),
        created: 1,
        owned_by: "o".into(),
        name: None,
        architecture: None,
        context_length: 1,
        pricing: None,
        supported_parameters: vec![],
        nodes: 0,
        metering: Metering::Bytes,
    };
    check("ListModelsResponse", &json!(ModelList::of(vec![model])));
}

#[test]
fn the_judge_finds_what_is_wrong() {
    let mut wrong = json!(completion());
    wrong["choices"][0]["finish_reason"] = json!("canceled");
    let official = official();
    let defs = &official["$defs"];
    let found = mismatch(&defs["CreateChatCompletionResponse"], &wrong, defs, "answer");
    assert!(found.unwrap().contains("canceled"));
    wrong = json!(completion());
    wrong["choices"][0].as_object_mut().unwrap().remove("logprobs");
    let found = mismatch(&defs["CreateChatCompletionResponse"], &wrong, defs, "answer");
    assert_eq!(found.unwrap(), "answer.choices[0].logprobs is missing");
}

#[test]
fn async_openai_reads_what_is_served() {
    use async_openai::types::chat::{CreateChatCompletionResponse, CreateChatCompletionStreamResponse};

    let whole: CreateChatCompletionResponse = serde_json::from_value(json!(completion())).unwrap();
    assert_eq!(whole.choices[0].message.tool_calls.as_ref().map(Vec::len), Some(1));
    let chunk = json!(ChatChunk::piece("i", 1, "m", Delta::text("Hi"), None));
    let chunk: CreateChatCompletionStreamResponse = serde_json::from_value(chunk).unwrap();
    assert_eq!(chunk.choices[0].delta.content.as_deref(), Some("Hi"));
}
