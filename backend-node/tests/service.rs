//! The node's HTTP face over a real socket, with the scripted engine behind it.
#![cfg(feature = "scripted")]
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{model, model_with, serve};
use http_body_util::BodyExt;
use peerway_node::engine::scripted::{Counters, ScriptedEngine};
use peerway_node::engine::{Gate, GatedEngine, ModelInfo};
use peerway_node::service::{NodeService, ServiceLimits};
use peerway_openapi::sse::Decoder;
use serde_json::{Value, json};
use tokio::sync::watch;

struct Node {
    base: String,
    counters: watch::Receiver<Counters>,
    client: reqwest::Client,
}

async fn node(slots: usize, queue: usize) -> Node {
    node_of(model("m"), slots, queue).await
}

async fn node_of(model: ModelInfo, slots: usize, queue: usize) -> Node {
    let scripted = ScriptedEngine::new(model);
    let counters = scripted.counters();
    let gated = GatedEngine::new(Arc::new(scripted), Gate::new(slots, queue));
    let limits = ServiceLimits { max_body: 64 << 10, ..ServiceLimits::default() };
    let service = NodeService::new(Arc::new(gated), limits);
    let address = serve(move |request| {
        let service = service.clone();
        async move { service.handle(request).await.map(|body| body.map_err(|never| match never {}).boxed_unsync()) }
    })
    .await;
    Node { base: format!("http://{address}"), counters, client: reqwest::Client::new() }
}

impl Node {
    async fn ask(&self, content: &str, change: &Value) -> reqwest::Response {
        let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": content }] });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.post(body.to_string()).await
    }

    async fn post(&self, body: impl Into<reqwest::Body>) -> reqwest::Response {
        self.post_to("chat/completions", body).await
    }

    async fn post_to(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::Response {
        self.client.post(format!("{}/v1/{path}", self.base)).body(body).send().await.unwrap()
    }

    async fn until(&mut self, reached: impl FnMut(&Counters) -> bool) -> Counters {
        *tokio::time::timeout(Duration::from_secs(10), self.counters.wait_for(reached)).await.expect("in time").unwrap()
    }
}

async fn events(response: reqwest::Response) -> Vec<String> {
    let body = response.bytes().await.unwrap();
    let mut decoder = Decoder::new(1 << 20);
    decoder.push(&body);
    let next = || decoder.next_event().unwrap().map(|event: Bytes| String::from_utf8(event.to_vec()).unwrap());
    std::iter::from_fn(next).collect()
}

async fn error(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["error"].clone())
}

#[tokio::test]
async fn whole_and_streamed_answers_are_the_same_text() {
    let node = node(2, 2).await;
    let whole: Value = node.ask("hello [[tokens=5]]", &json!({})).await.json().await.unwrap();
    let text = whole["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    assert_eq!(text.split_whitespace().count(), 5);
    assert_eq!(whole["choices"][0]["finish_reason"], "stop");
    assert_eq!(whole["usage"]["completion_tokens"], 5);

    let with_usage = json!({ "stream": true, "stream_options": { "include_usage": true } });
    let response = node.ask("hello [[tokens=5]]", &with_usage).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let events = events(response).await;
    let (done, chunks) = events.split_last().unwrap();
    assert_eq!(done, "[DONE]");
    let chunks: Vec<Value> = chunks.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    let deltas = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
    assert_eq!(deltas.collect::<String>(), text);
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let last = chunks.last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(7)));
}

#[tokio::test]
async fn usage_comes_only_where_it_was_asked_for_and_the_limit_is_kept() {
    let node = node(2, 2).await;
    let events = events(node.ask("x [[tokens=9]]", &json!({ "stream": true, "max_tokens": 3 })).await).await;
    assert!(events.iter().all(|event| !event.contains("usage")));
    assert!(events[events.len() - 2].contains(r#""finish_reason":"length""#));
    assert_eq!(events.len(), 3 + 2);
}

#[tokio::test]
async fn faults_before_the_answer_have_their_status_and_faults_inside_have_no_done() {
    let node = node(2, 2).await;
    for is_stream in [false, true] {
        let ask = async |directive: &str| error(node.ask(directive, &json!({ "stream": is_stream })).await).await;
        assert_eq!(ask("[[die_after=0]]").await.0, 500);
        assert_eq!(ask("[[refuse=failed]]").await.0, 500);
        assert_eq!(ask("[[refuse=busy]]").await.0, 503);
        assert_eq!(ask("[[refuse=bad_request]]").await.1["param"], "messages");
    }
    assert_eq!(error(node.ask("[[die_after=3]]", &json!({})).await).await.0, 500);
    for directive in ["[[die_after=3]]", "[[tokens=3]][[error_finish]]"] {
        let events = events(node.ask(directive, &json!({ "stream": true })).await).await;
        assert_eq!(events.len(), 4, "{events:?}");
        let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
        assert_eq!(last["error"]["code"], "stream_broken");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_named() {
    let node = node(2, 2).await;
    let model = |model: &str| json!({ "model": model, "messages": [{ "role": "user", "content": "x" }] }).to_string();
    let cases = [
        (model("other"), 404, json!("model")),
        ("{".to_owned(), 400, Value::Null),
        (String::new(), 400, Value::Null),
        (r#"{"model":"m","messages":[]}"#.to_owned(), 400, json!("messages")),
        (r#"{"model":"m","messages":[{"role":"king"}]}"#.to_owned(), 400, json!("messages[0].role")),
        (format!("{{\"model\":\"m\",\"x\":\"{}\"}}", "a".repeat(70_000)), 413, Value::Null),
        ("[".repeat(5000), 400, Value::Null),
    ];
    for (body, status, param) in cases {
        let (found, error) = error(node.post(body.clone()).await).await;
        assert_eq!((found, &error["param"]), (status, &param), "{body:.60}");
    }
    assert_eq!(node.post(vec![b'{', 0xff]).await.status(), 400);
    let get = async |path: &str| node.client.get(format!("{}{path}", node.base)).send().await.unwrap();
    assert_eq!(get("/v1/chat/completions").await.status(), 405);
    assert_eq!(get("/v1/completions").await.status(), 405);
    assert_eq!(get("/v1/embeddings").await.status(), 405);
    assert_eq!(get("/v1/responses").await.status(), 404);
    assert_eq!(get("/health").await.status(), 200);
    let models: Value = get("/v1/models").await.json().await.unwrap();
    assert_eq!(models["data"][0]["id"], "m");
}

#[tokio::test]
async fn of_sixty_four_callers_slots_and_queue_are_served_and_the_rest_refused_at_once() {
    let mut node = node(2, 3).await;
    let (answered, mut answers) = tokio::sync::mpsc::channel(64);
    let body = json!({ "model": "m", "stream": true, "messages": [{ "role": "user", "content": "[[hang_after=1]]" }] });
    for _ in 0..64 {
        let (answered, body) = (answered.clone(), body.to_string());
        let post = node.client.post(format!("{}/v1/chat/completions", node.base)).body(body);
        tokio::spawn(async move { answered.send(post.send().await.unwrap()).await });
    }
    // Two run for as long as they are held, three wait for them, and 59 are told so without waiting.
    let mut running = Vec::new();
    let mut refused = 0;
    while running.len() + refused < 61 {
        let response = tokio::time::timeout(Duration::from_secs(10), answers.recv()).await.expect("in time").unwrap();
        match response.status().as_u16() {
            200 => running.push(response),
            503 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!((running.len(), refused, node.counters.borrow().running), (2, 59, 2));
    for next in [2, 1] {
        running.clear();
        for _ in 0..next {
            let response =
                tokio::time::timeout(Duration::from_secs(10), answers.recv()).await.expect("in time").unwrap();
            assert_eq!(response.status(), 200);
            running.push(response);
        }
    }
    running.clear();
    assert_eq!(node.until(|counters| counters.running == 0).await.cancelled, 5);
}

#[tokio::test]
async fn a_caller_that_leaves_stops_the_engine() {
    let mut node = node(2, 2).await;
    for is_stream in [true, false] {
        let before = node.counters.borrow().cancelled;
        let asking = {
            let (base, client) = (node.base.clone(), node.client.clone());
            let body = json!({ "model": "m", "stream": is_stream,
                "messages": [{ "role": "user", "content": "[[tokens=100000]][[every=1ms]]" }] });
            tokio::spawn(async move {
                let url = format!("{base}/v1/chat/completions");
                client.post(url).body(body.to_string()).send().await.unwrap().bytes().await.is_ok()
            })
        };
        let words = node.counters.borrow().words;
        node.until(|counters| counters.words > words + 3).await;
        asking.abort();
        let counters = node.until(|counters| counters.cancelled > before).await;
        assert_eq!(counters.running, 0);
    }
}

#[tokio::test]
async fn who_waited_for_a_slot_is_told_how_long() {
    let node = node(1, 1).await;
    let long = "[[tokens=20]] [[every=10ms]] x";
    let stream = json!({"stream": true});
    let (one, two) = tokio::join!(node.ask(long, &stream), node.ask(long, &stream));
    let waited = |response: &reqwest::Response| -> u64 {
        response.headers()["x-peerway-queue-ms"].to_str().unwrap().parse().unwrap()
    };
    let (first, second) = (waited(&one), waited(&two));
    drop((one, two));
    // One of them ran at once; the other for as long as an answer takes, or until the first was dropped.
    assert_eq!(first.min(second), 0);
    assert!(first.max(second) >= 100, "{first} and {second}");
}

#[tokio::test]
async fn a_node_can_lie_on_demand() {
    let node = node(1, 0).await;
    let whole: Value = node.ask("hello [[tokens=5]] [[claim_factor=10]]", &json!({})).await.json().await.unwrap();
    assert_eq!(whole["usage"]["completion_tokens"], 50);
}

/// The chunks of a stream, which ends as it should.
async fn chunks(response: reqwest::Response) -> Vec<Value> {
    let events = events(response).await;
    let (done, chunks) = events.split_last().unwrap();
    assert_eq!(done, "[DONE]");
    chunks.iter().map(|event| serde_json::from_str(event).unwrap()).collect()
}

const WITH_USAGE: &str = r#"{ "stream": true, "stream_options": { "include_usage": true } }"#;

fn with_usage(change: &Value) -> Value {
    let mut all: Value = serde_json::from_str(WITH_USAGE).unwrap();
    all.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    all
}

#[tokio::test]
async fn several_choices_are_several_runs_in_one_answer() {
    // With one slot they come one after the other, with four side by side; what they say is the same.
    let mut told = Vec::new();
    for slots in [1, 4] {
        let node = node(slots, 0).await;
        let wanted = json!({ "n": 3, "seed": 7 });
        let whole: Value = node.ask("hello [[tokens=5]]", &wanted).await.json().await.unwrap();
        let texts: Vec<_> =
            (0..3).map(|place| whole["choices"][place]["message"]["content"].as_str().unwrap().to_owned()).collect();
        assert_eq!(whole["choices"][2]["index"], 2);
        // The prompt has two words, directive included, and is counted once.
        assert_eq!((&whole["usage"]["prompt_tokens"], &whole["usage"]["completion_tokens"]), (&json!(2), &json!(15)));
        assert!(texts[0] != texts[1] && texts[1] != texts[2], "{texts:?}");

        let chunks = chunks(node.ask("hello [[tokens=5]]", &with_usage(&wanted)).await).await;
        let (last, pieces) = chunks.split_last().unwrap();
        assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(17)));
        for (index, text) in texts.iter().enumerate() {
            let own: Vec<_> =
                pieces.iter().map(|chunk| &chunk["choices"][0]).filter(|choice| choice["index"] == index).collect();
            assert_eq!(own[0]["delta"]["role"], "assistant");
            assert_eq!(own.iter().filter(|choice| choice["finish_reason"] == "stop").count(), 1);
            let streamed: String = own.iter().filter_map(|choice| choice["delta"]["content"].as_str()).collect();
            assert_eq!(&streamed, text);
        }
        assert!(pieces.iter().all(|chunk| chunk["id"] == chunks[0]["id"] && chunk["usage"].is_null()));
        told.push(texts);

        // A seed counts up from choice to choice.
        let second: Value = node.ask("hello [[tokens=5]]", &json!({ "seed": 8 })).await.json().await.unwrap();
        assert_eq!(second["choices"][0]["message"]["content"], told[0][1].as_str());
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn choices_run_side_by_side_in_slots_that_nobody_else_wants() {
    let mut node = node(2, 1).await;
    let hanging = node.ask("[[hang_after=1]]", &json!({ "n": 4, "stream": true })).await;
    assert_eq!(hanging.status(), 200);
    let read = tokio::spawn(hanging.bytes());
    node.until(|counters| counters.running == 2).await;
    // Both slots are taken: one waits and the next is turned away, as behind two requests.
    let waiting = {
        let (client, url) = (node.client.clone(), format!("{}/v1/chat/completions", node.base));
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hello" }] }).to_string();
        tokio::spawn(async move { client.post(url).body(body).send().await.unwrap().status().as_u16() })
    };
    while node.ask("x", &json!({})).await.status() != 503 {}
    read.abort();
    assert_eq!(waiting.await.unwrap(), 200);
    let counters = node.until(|counters| counters.running == 0).await;
    assert_eq!(counters.cancelled, 2);
}

#[tokio::test]
async fn a_choice_that_breaks_breaks_the_answer() {
    let node = node(1, 0).await;
    let events = events(node.ask("[[die_after=2]]", &json!({ "n": 2, "stream": true })).await).await;
    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert_eq!((events.len(), &last["error"]["code"]), (3, &json!("stream_broken")));
    assert_eq!(error(node.ask("[[refuse=busy]]", &json!({ "n": 2 })).await).await.0, 503);
}

#[tokio::test]
async fn calls_thoughts_and_exact_texts_are_said_on_demand() {
    let node = node(1, 0).await;
    let script = r#"[[think=2]][[tool=f:{"city":"Oslo"}]][[tool=g:{}]]"#;
    let whole: Value = node.ask(script, &json!({})).await.json().await.unwrap();
    let choice = &whole["choices"][0];
    let calls = choice["message"]["tool_calls"].as_array().unwrap();
    assert_eq!((calls.len(), &choice["finish_reason"]), (2, &json!("tool_calls")));
    assert_eq!(calls[0]["function"], json!({ "name": "f", "arguments": "{\"city\":\"Oslo\"}" }));
    assert!(calls[0]["id"].as_str().unwrap().starts_with("call_") && calls[0]["id"] != calls[1]["id"]);
    assert_eq!(choice["message"]["reasoning_content"].as_str().unwrap().split_whitespace().count(), 2);

    let single: Value = node.ask(script, &json!({ "parallel_tool_calls": false })).await.json().await.unwrap();
    assert_eq!(single["choices"][0]["message"]["tool_calls"].as_array().unwrap().len(), 1);
    let unthinking: Value = node.ask(script, &json!({ "reasoning_effort": "none" })).await.json().await.unwrap();
    assert!(unthinking["choices"][0]["message"]["reasoning_content"].is_null());

    let pieces = chunks(node.ask(script, &json!({ "stream": true })).await).await;
    let deltas: Vec<_> =
        pieces.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array()?.first()).collect();
    assert!(deltas.len() > 3 && deltas[0]["type"] == "function" && deltas[1]["id"].is_null(), "{deltas:?}");

    let exact: Value = node.ask("[[say= a  b\nc ]][[stop_reason=END]]", &json!({})).await.json().await.unwrap();
    let choice = &exact["choices"][0];
    assert_eq!((&choice["message"]["content"], &choice["stop_reason"]), (&json!(" a  b\nc "), &json!("END")));
}

#[tokio::test]
async fn raw_prompts_are_answered_as_text() {
    let node = node(2, 0).await;
    let ask = async |change: &Value| {
        let mut body = json!({ "model": "m", "prompt": "Once upon" });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        node.post_to("completions", body.to_string()).await
    };
    let whole: Value = ask(&json!({})).await.json().await.unwrap();
    assert_eq!((&whole["object"], &whole["choices"][0]["finish_reason"]), (&json!("text_completion"), &json!("stop")));
    assert!(whole["id"].as_str().unwrap().starts_with("cmpl-"), "{whole}");
    assert_eq!(whole["usage"]["total_tokens"], 2 + 16);

    let many = json!({ "prompt": ["a b", [1, 2, 3]], "n": 2, "seed": 5, "max_tokens": 4 });
    let whole: Value = ask(&many).await.json().await.unwrap();
    let texts: Vec<_> = (0..4).map(|place| whole["choices"][place]["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(whole["choices"].as_array().unwrap().len(), 4);
    assert!(texts[0] != texts[1] && texts[0] != texts[2], "{texts:?}");
    // Two words and three tokens, each prompt once; four words for each of four answers.
    assert_eq!((&whole["usage"]["prompt_tokens"], &whole["usage"]["completion_tokens"]), (&json!(5), &json!(16)));
    assert_eq!(whole["choices"][3]["finish_reason"], "length");

    let pieces = chunks(ask(&with_usage(&many)).await).await;
    for (index, text) in texts.iter().enumerate() {
        let own = pieces.iter().filter_map(|chunk| chunk["choices"].get(0)).filter(|choice| choice["index"] == index);
        assert_eq!(&own.filter_map(|choice| choice["text"].as_str()).collect::<String>(), text);
    }
    assert_eq!(pieces.last().unwrap()["usage"]["total_tokens"], 21);
    for (change, param) in [(json!({ "echo": true }), "echo"), (json!({ "prompt": [] }), "prompt")] {
        assert_eq!(error(ask(&change).await).await.1["param"], param);
    }
}

#[tokio::test]
async fn a_model_makes_text_or_embeddings() {
    let node = node_of(model_with("m", &["embeddings"]), 1, 0).await;
    let embed = async |change: &Value| {
        let mut body = json!({ "model": "m", "input": ["a b", "c"] });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        node.post_to("embeddings", body.to_string()).await
    };
    let floats: Value = embed(&json!({})).await.json().await.unwrap();
    let numbers = |place: usize| -> Vec<f64> {
        floats["data"][place]["embedding"].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    assert_eq!(
        (numbers(0).len(), &floats["data"][1]["index"], &floats["usage"]["prompt_tokens"]),
        (8, &json!(1), &json!(3))
    );
    assert_ne!(numbers(0), numbers(1));
    for vector in [numbers(0), numbers(1)] {
        let length = vector.iter().map(|number| number * number).sum::<f64>();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
    let packed: Value = embed(&json!({ "encoding_format": "base64" })).await.json().await.unwrap();
    // Eight floats are 32 bytes, which are 44 letters of base64.
    assert_eq!(packed["data"][0]["embedding"].as_str().unwrap().len(), 44);
    let short: Value = embed(&json!({ "dimensions": 3 })).await.json().await.unwrap();
    assert_eq!(short["data"][0]["embedding"].as_array().unwrap().len(), 3);
    assert_eq!(error(embed(&json!({ "dimensions": 9 })).await).await.1["param"], "dimensions");

    // The other kind of request is refused, before any slot.
    assert_eq!(error(node.ask("x", &json!({})).await).await.1["param"], "model");
    assert_eq!(error(embed(&json!({ "model": "other" })).await).await.0, 404);
    let text = node_of(model("m"), 1, 0).await;
    let refused = text.post_to("embeddings", json!({ "model": "m", "input": "x" }).to_string()).await;
    assert_eq!(error(refused).await.1["param"], "model");
}

#[tokio::test]
async fn pictures_and_recordings_reach_only_a_model_that_takes_them() {
    let parts = json!([{ "type": "text", "text": "look" },
        { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAECAw==" } },
        { "type": "input_audio", "input_audio": { "data": "AAEC", "format": "wav" } }]);
    let message = json!({ "messages": [{ "role": "user", "content": parts }] });
    let blind = node(1, 0).await;
    assert_eq!(error(blind.ask("", &message).await).await.1["param"], "messages[0].content[1]");
    let deaf = node_of(model_with("m", &["image_input"]), 1, 0).await;
    assert_eq!(error(deaf.ask("", &message).await).await.1["param"], "messages[0].content[2]");
    let both = node_of(model_with("m", &["image_input", "audio_input"]), 1, 0).await;
    let whole: Value = both.ask("", &message).await.json().await.unwrap();
    assert_eq!(whole["choices"][0]["message"]["content"], "image of 4 bytes, audio of 3 bytes");
}

#[tokio::test]
async fn an_answer_that_is_gone_on_with_anywhere_is_the_same_answer() {
    let (one, other) = (node(2, 2).await, node(2, 2).await);
    let words = "[[think=2]][[say=a bc  d]] go on";
    let ask = async |node: &Node, peerway: Value| {
        let change = json!({ "stream": true, "max_tokens": 5, "peerway": peerway,
            "stream_options": { "include_usage": true } });
        let told = events(node.ask(words, &change).await).await;
        assert_eq!(told.last().map(String::as_str), Some("[DONE]"));
        told[..told.len() - 1].iter().map(|event| serde_json::from_str(event).unwrap()).collect::<Vec<Value>>()
    };
    let said = |pieces: &[Value]| {
        let text = |field: &str| -> String {
            pieces.iter().filter_map(|piece| piece["choices"][0]["delta"][field].as_str()).collect()
        };
        (text("reasoning_content"), text("content"))
    };
    let whole = ask(&one, json!({ "token_ids": true })).await;
    // Five pieces, the reason, the usage. The limit cuts the last word off.
    assert_eq!((whole.len(), said(&whole).1.as_str()), (7, "a bc "));
    for kept in 0..=5 {
        let ids: Vec<Value> = whole[..kept]
            .iter()
            .flat_map(|piece| piece["choices"][0]["token_ids"].as_array().unwrap().clone())
            .collect();
        let (thoughts, text) = said(&whole[..kept]);
        let resume = json!({ "resume": { "text": text, "thoughts": thoughts, "token_ids": ids } });
        let rest = ask(&other, resume).await;
        let (more_thoughts, more) = said(&rest);
        assert_eq!((thoughts + &more_thoughts, text + &more), said(&whole), "after {kept}");
        assert_eq!(rest[rest.len() - 2]["choices"][0]["finish_reason"], "length", "after {kept}");
        assert_eq!(rest.last().unwrap()["usage"]["completion_tokens"], 5 - kept, "after {kept}");
        let roles = rest.iter().filter(|piece| piece["choices"][0]["delta"]["role"].is_string()).count();
        assert_eq!(roles, usize::from(kept == 0), "after {kept}");
        // Who did not ask is not told.
        assert!(rest.iter().all(|piece| piece["choices"][0].get("token_ids").is_none()));
    }
}

#[tokio::test]
async fn what_cannot_be_gone_on_with_is_refused() {
    let node = node(1, 0).await;
    let refused = async |words: &str, change: Value| {
        let (status, error) = error(node.ask(words, &change).await).await;
        assert_eq!((status, error["param"].as_str()), (400, Some("peerway.resume")), "{words} {change} {error}");
    };
    let resume = |text: &str, ids: &[u32]| json!({ "peerway": { "resume": { "text": text, "token_ids": ids } } });
    refused("[[say=a b]]", resume("x", &[0])).await;
    refused("[[say=a b]]", resume("a", &[1])).await;
    refused("[[say=a b]]", resume("a b c", &[0, 1, 2])).await;
    refused("[[tool=f:{}]]", resume("", &[0])).await;
    let two = json!({ "n": 2, "peerway": { "resume": { "text": "a", "token_ids": [0] } } });
    refused("[[say=a b]]", two).await;
}
