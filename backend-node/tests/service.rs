//! The node's HTTP face over a real socket, with the scripted engine behind it.
#![cfg(feature = "scripted")]
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{model, serve};
use http_body_util::BodyExt;
use peerway_node::engine::scripted::{Counters, ScriptedEngine};
use peerway_node::engine::{Gate, GatedEngine};
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
    let scripted = ScriptedEngine::new(model("m"));
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
        self.client.post(format!("{}/v1/chat/completions", self.base)).body(body).send().await.unwrap()
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
    assert_eq!(get("/v1/embeddings").await.status(), 404);
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
