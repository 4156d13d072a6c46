//! The `mistral` engine with the demo model.
#![cfg(feature = "mistral")]
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{demo_model, text};
use futures::{StreamExt, TryStreamExt};
use http_body_util::{BodyExt, Full};
use peerway_node::engine::mistral::{MistralEngine, MistralSettings, Source};
use peerway_node::engine::{Answer, ChunkStream, Engine, EngineError, Gate, GatedEngine};
use peerway_node::service::{NodeService, ServiceLimits};
use peerway_openapi::chat::{
    Assembler, ChatChunk, ChatCompletion, ChatRequest, FinishReason, Role, TokenLogprob, ToolKind,
};
use peerway_openapi::completions::CompletionRequest;
use peerway_openapi::sse::Decoder;
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

/// The demo model with this chat template.
fn with_template(path: &str) -> MistralSettings {
    MistralSettings { chat_template: Some(path.into()), ..settings(&demo_model()) }
}

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
    stop_reason: Option<String>,
    usage: Usage,
    logprobs: Vec<TokenLogprob>,
}

async fn ask(content: &str, change: &Value) -> Said {
    told(&stream(engine().await, content, change).await.try_collect::<Vec<ChatChunk>>().await.unwrap())
}

fn told(chunks: &[ChatChunk]) -> Said {
    let choices = chunks.iter().flat_map(|chunk| &chunk.choices);
    let finish: Vec<_> = choices.clone().filter_map(|choice| choice.finish_reason).collect();
    assert_eq!(finish.len(), 1);
    assert_eq!(chunks[0].choices[0].delta.role, Some(Role::Assistant));
    let last = chunks.last().unwrap();
    assert!(last.choices.is_empty());
    Said {
        text: text(chunks),
        finish: finish[0],
        stop_reason: choices.clone().find_map(|choice| choice.stop_reason.clone()),
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
    let said = ask(question, &json!({ "stop": ["never said", &stop], "logprobs": true })).await;
    assert_eq!((said.text.as_str(), said.finish), (expected, FinishReason::Stop));
    assert_eq!(said.stop_reason.as_deref(), Some(stop.as_str()));
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
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expression_and_a_grammar_are_followed() {
    let regex = json!({ "type": "regex", "regex": "(red|green)/[0-9]{2} ok" });
    let said = ask("Name a colour.", &json!({ "response_format": regex })).await;
    let rest = said.text.strip_prefix("red/").or_else(|| said.text.strip_prefix("green/")).unwrap().to_owned();
    let (digits, end) = rest.split_at(2);
    assert!(digits.chars().all(|digit| digit.is_ascii_digit()) && end == " ok", "{}", said.text);
    assert_eq!(said.finish, FinishReason::Stop);

    let grammar = json!({ "type": "grammar", "grammar": "start: \"<\" word \">\"\nword: /[a-c]{3}/" });
    let said = ask("Say something.", &json!({ "response_format": grammar })).await;
    let word = said.text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap();
    assert!(word.len() == 3 && word.chars().all(|letter| ('a'..='c').contains(&letter)), "{word}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_compiled_is_refused_by_its_name_and_costs_nobody_else() {
    let schema = json!({ "type": "json_schema", "json_schema": { "name": "x", "schema": { "type": "nonsense" } } });
    let cases = [
        (schema, "response_format.json_schema.schema"),
        (json!({ "type": "regex", "regex": "(unclosed" }), "response_format.regex"),
        // It compiles, and is too large once it is followed.
        (json!({ "type": "regex", "regex": "((a{1000}){1000}){1000}" }), "response_format.regex"),
        (json!({ "type": "grammar", "grammar": "start: nowhere" }), "response_format.grammar"),
        (json!({ "type": "grammar", "grammar": "%%%" }), "response_format.grammar"),
    ];
    for (format, field) in cases {
        let change = json!({ "response_format": format });
        let error = engine().await.chat(asking("x", &change)).await.err().unwrap_or_else(|| panic!("{change}"));
        assert!(matches!(&error, EngineError::BadRequest { param: Some(param), .. } if param == field), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    assert!(ask(SUM, &json!({})).await.text.contains("problem is 4"));
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
async fn several_choices_are_those_that_their_seeds_give_alone() {
    let engine: Arc<dyn Engine> = Arc::new(MistralEngine::load(settings(&demo_model())).await.unwrap());
    let gated = GatedEngine::new(engine, Gate::new(1, 0));
    let question = "Write a poem about a stone.";
    let change = json!({ "temperature": 1.2, "max_tokens": 12, "seed": 40 });
    let mut wanted = change.clone();
    wanted["n"] = json!(3);
    let Ok(Answer::Stream(chunks)) = gated.chat(asking(question, &wanted)).await else { panic!("no stream") };
    let mut assembler = Assembler::default();
    let collected: Vec<_> = chunks.try_collect().await.unwrap();
    collected.into_iter().for_each(|chunk| assembler.push(chunk));
    let whole = assembler.finish().unwrap();
    let mut completion_tokens = 0;
    for (choice, seed) in whole.choices.iter().zip(40..) {
        let mut alone = change.clone();
        alone["seed"] = json!(seed);
        let alone = ask(question, &alone).await;
        assert_eq!(choice.message.content.as_deref(), Some(alone.text.as_str()));
        completion_tokens += alone.usage.completion_tokens;
        assert_eq!(whole.usage.as_ref().unwrap().prompt_tokens, alone.usage.prompt_tokens);
    }
    assert_eq!((whole.choices.len(), whole.usage.unwrap().completion_tokens), (3, completion_tokens));
}

async fn complete(change: &Value) -> Result<Said, EngineError> {
    let mut body = json!({ "model": "m", "prompt": "The capital of France is", "temperature": 0, "max_tokens": 8 });
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let request: CompletionRequest = serde_json::from_value(body).unwrap();
    request.validate().unwrap();
    match engine().await.complete(request).await? {
        Answer::Stream(chunks) => Ok(told(&chunks.try_collect::<Vec<ChatChunk>>().await?)),
        Answer::Whole(_) => panic!("not streamed"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_prompt_is_gone_on_with_where_it_ends() {
    let said = complete(&json!({})).await.unwrap();
    // No template, so the text goes on in the middle of a sentence, beginning with the space before the next word.
    assert!(said.text.starts_with(" Paris"), "{}", said.text);
    assert_eq!((said.usage.prompt_tokens, said.usage.completion_tokens), (5, 8));
    assert_eq!(said.finish, FinishReason::Length);
    // " The capital of France is" in SmolLM2's vocabulary.
    let tokens = complete(&json!({ "prompt": [504, 3575, 282, 4649, 314] })).await.unwrap();
    assert_eq!((tokens.text, tokens.usage.prompt_tokens), (said.text.clone(), 5));

    let stopped = complete(&json!({ "stop": [said.text.chars().skip(3).take(4).collect::<String>()] })).await.unwrap();
    assert_eq!((stopped.finish, stopped.text.as_str()), (FinishReason::Stop, " Pa"));
    let likely = complete(&json!({ "logprobs": 2 })).await.unwrap().logprobs;
    assert_eq!((likely.len(), likely[0].token.as_str(), likely[0].top_logprobs.len()), (8, " Paris", 2));
    let shaped = complete(&json!({ "response_format": { "type": "regex", "regex": " [A-Z]{3}" } })).await.unwrap();
    assert!(shaped.text.len() == 4 && shaped.text.trim() == &shaped.text[1..], "{}", shaped.text);
    let seeded = json!({ "seed": 3, "temperature": 1.5 });
    assert_eq!(complete(&seeded).await.unwrap().text, complete(&seeded).await.unwrap().text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_the_model_cannot_read_is_refused() {
    let cases = [json!([49_152]), json!([1, u32::MAX]), json!("")];
    for prompt in cases {
        let error = complete(&json!({ "prompt": prompt })).await.err().unwrap();
        assert!(matches!(&error, EngineError::BadRequest { param: Some(param), .. } if param == "prompt"), "{error}");
    }
    let long = complete(&json!({ "prompt": "word ".repeat(9000) })).await.err().unwrap();
    assert!(matches!(long, EngineError::ContextLength { field: "prompt", .. }), "{long}");
    assert!(complete(&json!({})).await.is_ok());
}

/// The demo model with a template that knows tools, and a switch for thinking.
async fn calling() -> &'static MistralEngine {
    static ENGINE: OnceCell<MistralEngine> = OnceCell::const_new();
    let load = || async { MistralEngine::load(with_template("tests/chatml-tools.jinja")).await.unwrap() };
    ENGINE.get_or_init(load).await
}

fn tools() -> Value {
    let parameters = json!({ "type": "object", "required": ["place"], "additionalProperties": false,
        "properties": { "place": { "$ref": "#/$defs/place" } }, "$defs": { "place": { "enum": ["Rome", "Oslo"] } } });
    let tool = |name: &str, parameters: &Value| json!({ "type": "function", "function": { "name": name, "description": "It does.", "parameters": parameters } });
    let count = json!({ "type": "object", "required": ["count"], "additionalProperties": false,
        "properties": { "count": { "type": "integer", "minimum": 3, "maximum": 5 } } });
    json!([tool("weather", &parameters), tool("dice", &count)])
}

async fn call(change: &Value) -> (Vec<ChatChunk>, ChatCompletion) {
    let mut all = json!({ "tools": tools(), "max_tokens": 64 });
    all.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let chunks: Vec<ChatChunk> =
        stream(calling().await, "What is the weather in Oslo?", &all).await.try_collect().await.unwrap();
    let mut assembler = Assembler::default();
    chunks.iter().cloned().for_each(|chunk| assembler.push(chunk));
    (chunks, assembler.finish().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_required_and_a_named_call_match_their_schemas() {
    let named = |name: &str| json!({ "type": "function", "function": { "name": name } });
    let mut ids = Vec::new();
    for choice in [json!("required"), named("weather"), named("dice")] {
        let (chunks, whole) = call(&json!({ "tool_choice": choice, "parallel_tool_calls": false })).await;
        assert_eq!(whole.choices[0].finish_reason, FinishReason::ToolCalls);
        assert_eq!(whole.choices[0].message.content, None);
        let calls = whole.choices[0].message.tool_calls.clone().unwrap();
        assert_eq!(calls.len(), 1);
        let function = &calls[0].function;
        let arguments: Value = serde_json::from_str(&function.arguments).unwrap();
        match function.name.as_str() {
            "weather" => assert!(["Rome", "Oslo"].contains(&arguments["place"].as_str().unwrap()), "{arguments}"),
            "dice" => assert!((3..=5).contains(&arguments["count"].as_i64().unwrap()), "{arguments}"),
            other => panic!("{other}"),
        }
        if choice != "required" {
            assert_eq!(choice["function"]["name"], function.name.as_str());
        }
        let opening = chunks.iter().find_map(|chunk| chunk.choices.first()?.delta.tool_calls.clone()).unwrap();
        assert_eq!((opening[0].index, opening[0].kind), (0, Some(ToolKind::Function)));
        assert!(calls[0].id.starts_with("call_"), "{}", calls[0].id);
        ids.push(calls[0].id.clone());
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_shown_or_hidden_as_the_caller_chooses() {
    let (_, hidden) = call(&json!({ "tool_choice": "none" })).await;
    assert!(hidden.choices[0].message.tool_calls.is_none());
    let (_, shown) = call(&json!({ "tool_choice": "auto", "max_tokens": 4 })).await;
    let prompt_tokens = |whole: &ChatCompletion| whole.usage.as_ref().unwrap().prompt_tokens;
    assert!(prompt_tokens(&shown) > prompt_tokens(&hidden) + 50);

    let broken =
        json!([tools()[0], { "type": "function", "function": { "name": "f", "parameters": { "type": "x" } } }]);
    let change = json!({ "tools": broken, "tool_choice": "required" });
    let error = calling().await.chat(asking("x", &change)).await.err().unwrap();
    let EngineError::BadRequest { param, .. } = &error else { panic!("{error}") };
    assert_eq!(param.as_deref(), Some("tools[1].function.parameters"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_can_be_told_not_to_think_says_so() {
    let engine = calling().await;
    let capabilities = engine.models().remove(0).capabilities;
    assert!(capabilities.contains(&"reasoning_effort".to_owned()) && capabilities.contains(&"tools".to_owned()));
    let prompt_tokens = async |effort: &str| {
        let change = json!({ "reasoning_effort": effort, "max_tokens": 1 });
        let chunks: Vec<ChatChunk> = stream(engine, SUM, &change).await.try_collect().await.unwrap();
        chunks.last().unwrap().usage.as_ref().unwrap().prompt_tokens
    };
    // The template begins the answer where the model is not to think.
    assert!(prompt_tokens("none").await > prompt_tokens("high").await);
    let plain = self::engine().await;
    assert!(plain.chat(asking("x", &json!({ "reasoning_effort": "none", "max_tokens": 1 }))).await.is_ok());
    let error = plain.chat(asking("x", &json!({ "reasoning_effort": "low" }))).await.err().unwrap();
    assert!(matches!(&error, EngineError::BadRequest { param: Some(param), .. } if param == "reasoning_effort"));
}

#[tokio::test(flavor = "multi_thread")]
async fn streamed_or_whole_an_answer_is_the_same() {
    let engine: Arc<dyn Engine> = Arc::new(MistralEngine::load(settings(&demo_model())).await.unwrap());
    let gated = Arc::new(GatedEngine::new(engine, Gate::new(1, 4)));
    let service = NodeService::new(gated, ServiceLimits::default());
    for (path, change) in [
        ("/v1/chat/completions", json!({ "messages": [{ "role": "user", "content": SUM }] })),
        ("/v1/completions", json!({ "prompt": "The capital of France is" })),
    ] {
        let mut texts = Vec::new();
        for is_stream in [true, false] {
            let mut body = json!({ "model": "m", "temperature": 0, "max_tokens": 12, "stream": is_stream });
            body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let body = Full::new(Bytes::from(body.to_string()));
            let response = service.handle(http::Request::post(path).body(body).unwrap()).await;
            assert_eq!(response.status(), 200);
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            texts.push(text_in(&bytes, is_stream));
        }
        assert_eq!(texts[0], texts[1]);
        assert!(texts[0].len() > 10, "{}", texts[0]);
    }
}

/// The text of the first choice, of a chat or a completion.
fn text_in(body: &[u8], is_stream: bool) -> String {
    let of = |json: &[u8]| {
        let value: Value = serde_json::from_slice(json).unwrap();
        let choice = &value["choices"][0];
        let parts = [&choice["text"], &choice["message"]["content"], &choice["delta"]["content"]];
        parts.into_iter().filter_map(Value::as_str).collect::<String>()
    };
    if !is_stream {
        return of(body);
    }
    let mut decoder = Decoder::new(1 << 20);
    decoder.push(body);
    let events = std::iter::from_fn(|| decoder.next_event().unwrap());
    events.filter(|event| event.as_ref() != b"[DONE]").map(|event| of(&event)).collect()
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
    let written = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let cases = [
        (settings(&path), "truncated"),
        (settings(Path::new("/nowhere/x.gguf")), "/nowhere/x.gguf"),
        (settings(Path::new("Cargo.toml")), "not a GGUF file"),
        (MistralSettings { context: Some(9000), ..settings(&demo_model()) }, "8192"),
        (MistralSettings { dtype: Some("f12".to_owned()), ..settings(&demo_model()) }, "--dtype f12"),
        (MistralSettings { isq: Some("q8_0".to_owned()), ..settings(&demo_model()) }, "--isq"),
        (with_template("nowhere.jinja"), "nowhere.jinja"),
        (with_template(&written("x.txt", "{{ messages }}")), ".jinja"),
        (with_template(&written("empty.jinja", "hello")), "messages"),
        (with_template(&written("broken.jinja", "{% for message in messages %}")), "broken.jinja"),
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
    for name in ["tools", "reasoning_effort", "embeddings", "image_input"] {
        assert!(!model.capabilities.contains(&name.to_owned()), "{name}");
    }
    for name in ["completions", "response_format"] {
        assert!(model.capabilities.contains(&name.to_owned()), "{name}");
    }
    assert_eq!(engine().await.concurrency(), Some(1));
}
