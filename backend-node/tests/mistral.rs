//! The `mistral` engine with the demo model.
#![cfg(feature = "mistral")]
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::{demo_model, text};
use futures::{StreamExt, TryStreamExt};
use peerway_node::engine::mistral::{MistralEngine, MistralSettings, Source};
use peerway_node::engine::{Answer, ChunkStream, Engine, EngineError};
use peerway_openapi::chat::{ChatChunk, ChatRequest, FinishReason, Role, TokenLogprob};
use peerway_openapi::usage::Usage;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

fn settings(model: &Path) -> MistralSettings {
    MistralSettings {
        source: Source::Gguf(model.to_owned()),
        id: "m".to_owned(),
        context: None,
        slots: 4,
        dtype: None,
        isq: None,
        // State kept from other answers changes the last digits of the logits, and with them a word now and then.
        prefix_cache: 0,
        chat_template: None,
    }
}

/// A question that the model answers well at temperature 0: "The answer to this classic math problem is 4."
const SUM: &str = "What is 2 plus 2?";

/// One engine for all tests of a process.
async fn engine() -> &'static MistralEngine {
    static ENGINE: OnceCell<MistralEngine> = OnceCell::const_new();
    ENGINE.get_or_init(|| async { MistralEngine::load(settings(&demo_model())).await.unwrap() }).await
}

fn asking(content: &str, change: &Value) -> ChatRequest {
    let mut body = json!({ "model": "m", "temperature": 0, "max_tokens": 24, "stream": true,
        "messages": [{ "role": "user", "content": content }] });
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let request: ChatRequest = serde_json::from_value(body).unwrap();
    request.validate().unwrap();
    request
}

async fn stream(engine: &MistralEngine, content: &str, change: &Value) -> ChunkStream {
    match engine.chat(asking(content, change)).await {
        Ok(Answer::Stream(chunks)) => chunks,
        Ok(Answer::Whole(_)) => panic!("not streamed"),
        Err(error) => panic!("{error}"),
    }
}

struct Said {
    text: String,
    finish: FinishReason,
    usage: Usage,
    logprobs: Vec<TokenLogprob>,
}

async fn ask(content: &str, change: &Value) -> Said {
    let chunks: Vec<ChatChunk> = stream(engine().await, content, change).await.try_collect().await.unwrap();
    let choices = chunks.iter().flat_map(|chunk| &chunk.choices);
    let finish: Vec<_> = choices.clone().filter_map(|choice| choice.finish_reason).collect();
    assert_eq!(finish.len(), 1);
    assert_eq!(chunks[0].choices[0].delta.role, Some(Role::Assistant));
    let last = chunks.last().unwrap();
    assert!(last.choices.is_empty());
    Said {
        text: text(&chunks),
        finish: finish[0],
        usage: last.usage.clone().unwrap(),
        logprobs: choices.filter_map(|choice| choice.logprobs.clone()?.content).flatten().collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn temperature_zero_says_the_same_twice_and_answers_the_question() {
    let first = ask(SUM, &json!({})).await;
    assert!(first.text.contains("problem is 4"), "{}", first.text);
    assert_eq!(first.finish, FinishReason::Stop);
    let second = ask(SUM, &json!({})).await;
    assert_eq!(second.text, first.text);
    // What mistral.rs's SDK reports for the same question and model, its template's own system message included.
    assert_eq!((first.usage.prompt_tokens, first.usage.completion_tokens, first.usage.total_tokens), (38, 12, 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_is_kept_to_the_token() {
    let said = ask("Write a long story.", &json!({ "max_tokens": 7 })).await;
    assert_eq!((said.finish, said.usage.completion_tokens), (FinishReason::Length, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_text_ends_the_answer_and_is_no_part_of_it() {
    let question = "Count from one to nine in words.";
    let whole = ask(question, &json!({})).await.text;
    let stop: String = whole.chars().skip(12).take(4).collect();
    let expected = whole.split_once(&stop).unwrap().0;
    let said = ask(question, &json!({ "stop": ["never said", stop], "logprobs": true })).await;
    assert_eq!((said.text.as_str(), said.finish), (expected, FinishReason::Stop));
    let shown: Vec<u8> = said.logprobs.iter().flat_map(|token| token.bytes.clone().unwrap()).collect();
    assert!(expected.as_bytes().starts_with(&shown), "{:?}", String::from_utf8_lossy(&shown));
}

#[tokio::test(flavor = "multi_thread")]
async fn log_probabilities_are_of_the_tokens_said() {
    let said = ask(SUM, &json!({ "logprobs": true, "top_logprobs": 3 })).await;
    let spelled: Vec<u8> = said.logprobs.iter().flat_map(|token| token.bytes.clone().unwrap()).collect();
    assert_eq!(String::from_utf8(spelled).unwrap().trim_start(), said.text);
    for token in &said.logprobs {
        assert!(token.logprob <= 0.0);
        assert_eq!(token.top_logprobs.len(), 3);
        // At temperature 0 the likeliest token is the one that is said.
        assert_eq!((&token.top_logprobs[0].token, token.top_logprobs[0].logprob), (&token.token, token.logprob));
        let sum: f32 = token.top_logprobs.iter().map(|top| top.logprob.exp()).sum();
        assert!(sum <= 1.0001, "{sum}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_repeats_an_answer_and_another_seed_gives_another() {
    let hot = |seed: i64| json!({ "temperature": 1.5, "seed": seed });
    let question = "Write a poem about a stone.";
    let first = ask(question, &hot(7)).await.text;
    assert_eq!(ask(question, &hot(7)).await.text, first);
    assert_ne!(ask(question, &hot(8)).await.text, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bias_forbids_a_token() {
    assert!(ask(SUM, &json!({})).await.text.contains(" classic"));
    // " classic" is token 8170 of SmolLM2's vocabulary.
    let said = ask(SUM, &json!({ "logit_bias": { "8170": -100 } })).await.text;
    assert!(!said.contains(" classic"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_followed() {
    let schema = json!({ "type": "object", "properties": { "city": { "enum": ["Rome", "Oslo"] } },
        "required": ["city"], "additionalProperties": false });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "city", "schema": schema } });
    let said = ask("Name a city.", &json!({ "response_format": format, "max_tokens": 64 })).await;
    let answer: Value = serde_json::from_str(&said.text).unwrap();
    assert!(["Rome", "Oslo"].contains(&answer["city"].as_str().unwrap()), "{answer}");

    let broken = json!({ "type": "json_schema", "json_schema": { "name": "x", "schema": { "type": "nonsense" } } });
    let mut refused = stream(engine().await, "x", &json!({ "response_format": broken })).await;
    let error = refused.next().await.unwrap().unwrap_err();
    assert!(
        matches!(&error, EngineError::BadRequest { param: Some(param), .. } if param == "response_format"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_followed_is_refused() {
    let tools = json!({ "tools": [{ "type": "function", "function": { "name": "f" } }] });
    let refused = |change: Value| async move { engine().await.chat(asking("x", &change)).await.err().unwrap() };
    assert!(matches!(refused(tools).await, EngineError::BadRequest { param: Some(param), .. } if param == "tools"));
    assert_eq!(refused(json!({ "model": "other" })).await, EngineError::UnknownModel("other".to_owned()));
    let long = engine().await.chat(asking(&"word ".repeat(9000), &json!({}))).await.err().unwrap();
    assert!(matches!(long, EngineError::ContextLength { context_length: 8192, .. }), "{long}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_at_the_same_time_are_those_that_each_would_get_alone() {
    // Prompts of equal length, which mistral.rs would compute in one batch.
    let questions =
        ["Write a story about the sea.", "Write a story about the moon.", "Write a song about the rain.", SUM];
    let mut alone = Vec::new();
    for question in questions {
        alone.push(ask(question, &json!({})).await.text);
    }
    for _ in 0..2 {
        let asked = questions.map(|question| async move { ask(question, &json!({})).await.text });
        assert_eq!(futures::future::join_all(asked).await, alone);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_holds_up_nobody() {
    let mut left = stream(engine().await, "Write a very long story.", &json!({ "max_tokens": 8000 })).await;
    left.next().await.unwrap().unwrap();
    let before = Instant::now();
    drop(left);
    assert!(ask(SUM, &json!({})).await.text.contains("problem is 4"));
    // Eight thousand tokens take minutes, this answer a second.
    assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_holds_up_nobody() {
    let unread = stream(engine().await, "Write a story.", &json!({ "max_tokens": 20 })).await;
    assert!(ask(SUM, &json!({})).await.text.contains("problem is 4"));
    let unread: Vec<ChatChunk> = unread.try_collect().await.unwrap();
    assert_eq!(unread.last().unwrap().usage.as_ref().unwrap().completion_tokens, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_turn_of_a_conversation_begins_where_the_last_one_ended() {
    let keeping = MistralEngine::load(MistralSettings { prefix_cache: 2, ..settings(&demo_model()) }).await.unwrap();
    let text = "The tide came in and the boats went out to sea while the gulls cried. ".repeat(25);
    let turn = async |change: &Value| {
        let began = Instant::now();
        let mut chunks = stream(&keeping, "", change).await;
        let first = chunks.next().await.unwrap().unwrap();
        let elapsed = began.elapsed();
        let rest: Vec<ChatChunk> = chunks.try_collect().await.unwrap();
        (text_of(&first) + &common::text(&rest), elapsed)
    };
    let first = json!([{ "role": "user", "content": text }]);
    let (answer, cold) = turn(&json!({ "messages": first, "max_tokens": 4 })).await;
    let mut next = first.as_array().unwrap().clone();
    next.push(json!({ "role": "assistant", "content": answer }));
    next.push(json!({ "role": "user", "content": "Go on." }));
    let (_, warm) = turn(&json!({ "messages": next, "max_tokens": 4 })).await;
    assert!(warm * 3 < cold, "{warm:?} is not far below {cold:?}");
    // Past the bound everything is dropped: the same conversation is read from its start again.
    turn(&json!({ "messages": [{ "role": "user", "content": "Hi." }], "max_tokens": 4 })).await;
    let (_, dropped) = turn(&json!({ "messages": next, "max_tokens": 4 })).await;
    assert!(warm * 3 < dropped, "{dropped:?} is not far above {warm:?}");
}

fn text_of(chunk: &ChatChunk) -> String {
    common::text(std::slice::from_ref(chunk))
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_no_model_are_named_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.gguf");
    let whole = std::fs::read(demo_model()).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let cases = [
        (settings(&path), "truncated"),
        (settings(Path::new("/nowhere/x.gguf")), "/nowhere/x.gguf"),
        (settings(Path::new("Cargo.toml")), "not a GGUF file"),
        (MistralSettings { context: Some(9000), ..settings(&demo_model()) }, "8192"),
        (MistralSettings { dtype: Some("f12".to_owned()), ..settings(&demo_model()) }, "--dtype f12"),
        (MistralSettings { isq: Some("q8_0".to_owned()), ..settings(&demo_model()) }, "--isq"),
    ];
    for (settings, named) in cases {
        let message = MistralEngine::load(settings).await.err().unwrap().to_string();
        assert!(message.contains(named) && !message.contains('\n'), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_is_described_as_it_is() {
    let model = engine().await.models().remove(0);
    assert_eq!((model.id.as_str(), model.context_length, model.quantization.as_str()), ("m", 8192, "Q8_0"));
    let hash = "sha256:2bee9587dc93d258aac88b8abefe479bea465140b6a6ca5da1eba52463be2c3d";
    assert_eq!(model.weights_hash.as_deref(), Some(hash));
    assert!(!model.capabilities.contains(&"tools".to_owned()));
    assert_eq!(engine().await.concurrency(), Some(1));
}
