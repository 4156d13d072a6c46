//! Text completions and embeddings, held against OpenAI's own description of its API and read by its clients.
//!
//! `official/completions.json` holds the names, types and requirements of that description and none of its prose.

mod judge;

use async_openai::types::chat::{CompletionFinishReason, Prompt as ClientPrompt};
use async_openai::types::completions::{CreateCompletionRequestArgs, CreateCompletionResponse};
use async_openai::types::embeddings::{
    CreateBase64EmbeddingResponse, CreateEmbeddingRequestArgs, CreateEmbeddingResponse, EncodingFormat as ClientFormat,
};
use judge::mismatch;
use peerway_openapi::chat::{ChatChunk, ChatCompletion, Delta, FinishReason, Logprobs, TokenLogprob, TopLogprob};
use peerway_openapi::completions::{CompletionRequest, CompletionsDialect, Prompt};
use peerway_openapi::embeddings::{EmbeddingRequest, EmbeddingResponse, EmbeddingUsage, EncodingFormat, Vector};
use peerway_openapi::usage::{CostDetails, Usage};
use peerway_openapi::{Dialect, parse, sse};
use serde_json::{Value, json};

fn check(name: &str, value: &Value) {
    let official: Value =
        serde_json::from_str(include_str!("official/completions.json")).expect("the description is JSON");
    let defs = &official["$defs"];
    assert!(defs[name].is_object(), "{name} is not described");
    assert_eq!(mismatch(&defs[name], value, defs, name), None);
}

fn logprobs() -> Logprobs {
    let top = TopLogprob { token: "H".into(), logprob: -0.1, bytes: None };
    let token = TokenLogprob { token: "Hi".into(), logprob: f32::NEG_INFINITY, bytes: None, top_logprobs: vec![top] };
    Logprobs { content: Some(vec![token]), refusal: None }
}

fn dialect() -> CompletionsDialect {
    CompletionsDialect::new("0a", 7, "m", true, vec!["Say ".into()], 1)
}

fn usage() -> Usage {
    let cost_details = Some(CostDetails { upstream_inference_cost: 0.5, gateway_fee: 0.25 });
    Usage { cost: Some(0.75), cost_details, ..Usage::of_tokens(3, 1, 2) }
}

fn whole() -> Value {
    let answer = json!({"id": "i", "created": 1, "model": "x", "usage": usage(), "provider": "peer", "choices": [
        {"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop", "logprobs": logprobs_as_json(), "stop_reason": "."}
    ]});
    let answer: ChatCompletion = serde_json::from_value(answer).expect("it is JSON");
    serde_json::from_slice(&dialect().whole(answer).expect("it can be written")).expect("it can be written")
}

fn logprobs_as_json() -> Value {
    json!({"content": [{"token": "Hi", "logprob": -9999.0, "top_logprobs": [{"token": "H", "logprob": -0.1}]}]})
}

/// The events of a stream, less its `[DONE]`.
fn streamed() -> Vec<Value> {
    let mut dialect = dialect();
    let mut piece = ChatChunk::piece("i", 1, "x", Delta::text("Hi"), None);
    piece.choices[0].logprobs = Some(logprobs());
    let end = ChatChunk::piece("i", 1, "x", Delta::default(), Some(FinishReason::Length));
    let mut decoder = sse::Decoder::new(1 << 16);
    for frames in [
        dialect.piece(piece).expect("it can be written"),
        dialect.piece(end).expect("it can be written"),
        dialect.end(usage()).expect("it can be written"),
    ] {
        decoder.push(&frames);
    }
    let mut events: Vec<_> = std::iter::from_fn(|| decoder.next_event().expect("events are small")).collect();
    assert_eq!(events.pop().expect("a stream has events"), sse::DONE);
    events.iter().map(|event| serde_json::from_slice(event).expect("it is JSON")).collect()
}

#[test]
fn completions_fit() {
    check("CreateCompletionResponse", &whole());
    let events = streamed();
    assert_eq!(events.len(), 4);
    for mut event in events {
        // The description says nothing of streams, where an answer that goes on has no reason to have ended.
        if let Some(choice) = event["choices"].get_mut(0)
            && choice["finish_reason"].is_null()
        {
            choice["finish_reason"] = json!("stop");
        }
        check("CreateCompletionResponse", &event);
    }
}

#[test]
fn clients_read_completions() {
    let whole: CreateCompletionResponse = serde_json::from_value(whole()).unwrap();
    assert_eq!((whole.id.as_str(), whole.created, whole.model.as_str()), ("cmpl-0a", 7, "m"));
    assert_eq!(whole.choices[0].text, "Say Hi");
    assert_eq!(whole.choices[0].finish_reason, Some(CompletionFinishReason::Stop));
    let logprobs = whole.choices[0].logprobs.as_ref().unwrap();
    assert_eq!(
        (logprobs.token_logprobs.as_slice(), logprobs.text_offset.as_slice()),
        ([Some(-9999.0)].as_slice(), [4].as_slice())
    );
    let chunks: Vec<CreateCompletionResponse> =
        streamed().into_iter().map(|event| serde_json::from_value(event).unwrap()).collect();
    let text: String = chunks.iter().flat_map(|chunk| &chunk.choices).map(|choice| choice.text.as_str()).collect();
    assert_eq!(text, "Say Hi");
    assert_eq!(chunks[2].choices[0].finish_reason, Some(CompletionFinishReason::Length));
    assert!(chunks[3].choices.is_empty());
    assert_eq!(chunks[3].usage.as_ref().map(|usage| usage.total_tokens), Some(5));
}

#[test]
fn what_clients_ask_to_complete_is_read() {
    let prompts = [
        (ClientPrompt::String("a".into()), vec![Prompt::Text("a".into())]),
        (
            ClientPrompt::StringArray(vec!["a".into(), "b".into()]),
            vec![Prompt::Text("a".into()), Prompt::Text("b".into())],
        ),
        (ClientPrompt::IntegerArray(vec![1, 2]), vec![Prompt::Tokens(vec![1, 2])]),
        (
            ClientPrompt::ArrayOfIntegerArray(vec![vec![1], vec![2]]),
            vec![Prompt::Tokens(vec![1]), Prompt::Tokens(vec![2])],
        ),
    ];
    for (sent, expected) in prompts {
        let sent = CreateCompletionRequestArgs::default().model("m").prompt(sent).n(2).logprobs(5).build().unwrap();
        let read: CompletionRequest = parse::json(&serde_json::to_vec(&sent).unwrap()).unwrap();
        assert_eq!(read.validate(), Ok(()));
        assert_eq!((read.prompt.0, read.n, read.logprobs), (expected, Some(2), Some(5)));
    }
}

fn embeddings(format: EncodingFormat) -> Value {
    let vectors = [vec![0.1, -1.5], vec![f32::MIN_POSITIVE, f32::MAX]].map(Vector::Floats);
    let vectors = vectors.map(|vector| vector.in_format(format).expect("numbers are finite"));
    let usage = EmbeddingUsage::from(usage());
    json!(EmbeddingResponse { provider: Some("peer".into()), ..EmbeddingResponse::new("m", vectors.into(), usage) })
}

#[test]
fn embeddings_fit() {
    let floats = embeddings(EncodingFormat::Float);
    check("CreateEmbeddingResponse", &floats);
    assert_eq!(floats["usage"]["total_tokens"], 3);
    assert_eq!(floats["usage"]["cost"], 0.75);
}

#[test]
fn clients_read_embeddings() {
    let floats: CreateEmbeddingResponse = serde_json::from_value(embeddings(EncodingFormat::Float)).unwrap();
    let text: CreateBase64EmbeddingResponse = serde_json::from_value(embeddings(EncodingFormat::Base64)).unwrap();
    let expected = [[0.1, -1.5], [f32::MIN_POSITIVE, f32::MAX]];
    for (place, (floats, text)) in floats.data.into_iter().zip(text.data).enumerate() {
        assert_eq!((floats.index as usize, text.index as usize), (place, place));
        assert_eq!(floats.embedding, expected[place]);
        assert_eq!(Vec::<f32>::from(text.embedding), expected[place]);
    }
}

#[test]
fn what_clients_ask_to_embed_is_read() {
    let sent = CreateEmbeddingRequestArgs::default()
        .model("m")
        .input(["a", "b"])
        .encoding_format(ClientFormat::Base64)
        .dimensions(2_u32)
        .build()
        .unwrap();
    let read: EmbeddingRequest = parse::json(&serde_json::to_vec(&sent).unwrap()).unwrap();
    assert_eq!(read.validate(), Ok(()));
    assert_eq!((read.input.0.len(), read.format(), read.dimensions), (2, EncodingFormat::Base64, Some(2)));
}
