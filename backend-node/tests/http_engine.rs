//! The `http` engine against servers that behave and servers that do not.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{TestBody, model, request, serve, text};
use futures::{StreamExt, TryStreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use parking_lot::Mutex;
use peerway_node::engine::http::{HttpEngine, HttpSettings};
use peerway_node::engine::{Answer, ChunkStream, Engine, EngineError};
use peerway_openapi::chat::{ChatChunk, FinishReason, Role};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

const WHOLE: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,
    "message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],
    "usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;

fn chunk(delta: &str, finish: &str, rest: &str) -> String {
    format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"up\",\
         \"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]{rest}}}\n\n"
    )
}

fn full(text: impl Into<Bytes>) -> TestBody {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

fn pieces(pieces: Vec<String>) -> TestBody {
    let frames = pieces.into_iter().map(|piece| Ok(Frame::data(Bytes::from(piece))));
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

async fn answering(status: u16, body: impl Into<Bytes>) -> HttpEngine {
    let body = body.into();
    let address = serve(move |_| {
        let answer = Response::builder().status(status).body(full(body.clone())).unwrap();
        async move { answer }
    });
    engine(HttpSettings::new(format!("http://{}/v1", address.await)))
}

async fn streaming(events: Vec<String>) -> HttpEngine {
    let address = serve(move |_| {
        let answer = Response::new(pieces(events.clone()));
        async move { answer }
    });
    engine(HttpSettings::new(format!("http://{}/v1", address.await)))
}

fn engine(settings: HttpSettings) -> HttpEngine {
    HttpEngine::new(HttpSettings { model: Some("up".to_owned()), ..settings }, model("m")).unwrap()
}

async fn streamed(engine: &HttpEngine) -> ChunkStream {
    match engine.chat(request(&json!({ "stream": true }))).await {
        Ok(Answer::Stream(chunks)) => chunks,
        Ok(Answer::Whole(_)) => panic!("not streamed"),
        Err(error) => panic!("{error}"),
    }
}

async fn refusal(engine: &HttpEngine) -> EngineError {
    match engine.chat(request(&json!({}))).await {
        Ok(_) => panic!("answered"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn only_known_fields_go_upstream_under_the_upstreams_name() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let address = serve(move |request: Request<Incoming>| {
        let sink = sink.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            sink.lock().push((head, serde_json::from_slice::<Value>(&body).unwrap()));
            Response::new(full(WHOLE))
        }
    })
    .await;
    let settings =
        HttpSettings { key: Some("secret".to_owned()), ..HttpSettings::new(format!("http://{address}/v1/")) };
    let Ok(Answer::Whole(whole)) = engine(settings).chat(request(&json!({ "shell": "rm", "temperature": 0.5 }))).await
    else {
        panic!("no whole answer")
    };
    assert_eq!(whole.model, "m");
    assert_eq!(whole.choices[0].message.content.as_deref(), Some("hi"));
    let (head, body) = seen.lock().pop().unwrap();
    assert_eq!(head.uri.path(), "/v1/chat/completions");
    assert_eq!(head.headers["authorization"], "Bearer secret");
    let expected =
        json!({ "model": "up", "messages": [{ "role": "user", "content": "Hello there" }], "temperature": 0.5 });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_stream_takes_the_one_form_whatever_comes_in() {
    let usage = r#","usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}"#;
    let events = vec![
        ": hello\n\n".to_owned(),
        chunk(r#"{"content":"a"}"#, "null", ""),
        chunk(r#"{"content":"b"}"#, "null", usage),
        chunk("{}", "\"length\"", usage),
        "data: [DONE]\n\n".to_owned(),
    ];
    let chunks: Vec<ChatChunk> = streamed(&streaming(events).await).await.try_collect().await.unwrap();
    assert_eq!(text(&chunks), "ab");
    assert!(chunks.iter().all(|chunk| chunk.model == "m"));
    assert_eq!(chunks[0].choices[0].delta.role, Some(Role::Assistant));
    assert_eq!(chunks[2].choices[0].finish_reason, Some(FinishReason::Length));
    let with_usage: Vec<_> =
        chunks.iter().filter_map(|chunk| Some((chunk.choices.len(), chunk.usage.as_ref()?))).collect();
    assert_eq!(with_usage.len(), 1);
    assert_eq!((with_usage[0].0, with_usage[0].1.completion_tokens), (0, 2));
}

#[tokio::test]
async fn a_stream_that_ends_early_or_breaks_is_an_error() {
    let text = chunk(r#"{"content":"a"}"#, "null", "");
    let cases = [
        vec![text.clone()],
        vec![text.clone(), "data: [DONE]\n\n".to_owned()],
        vec![text.clone(), "data: {\"error\":{\"message\":\"out of memory\"}}\n\n".to_owned()],
        vec![text.clone(), "data: <html>\n\n".to_owned()],
        vec![text, format!("data: {}", "x".repeat(2 << 20))],
    ];
    for events in cases {
        let mut chunks = streamed(&streaming(events.clone()).await).await;
        assert!(chunks.next().await.unwrap().is_ok());
        let error = chunks.next().await.unwrap().unwrap_err();
        assert!(matches!(error, EngineError::Failed { .. }), "{error}");
        assert!(chunks.next().await.is_none());
    }
}

#[tokio::test]
async fn statuses_mean_what_they_should() {
    let complaint = r#"{"error":{"message":"bad seed","type":"invalid_request_error","param":"seed","code":null}}"#;
    for status in [429, 503] {
        assert_eq!(refusal(&answering(status, "{}").await).await, EngineError::Busy);
    }
    assert_eq!(refusal(&answering(400, complaint).await).await, EngineError::bad_param("seed", "bad seed"));
    assert!(matches!(refusal(&answering(422, "<html>").await).await, EngineError::BadRequest { param: None, .. }));
    for status in [301, 401, 404, 500] {
        let error = refusal(&answering(status, complaint).await).await;
        assert_eq!(error.to_api().kind().status(), StatusCode::BAD_GATEWAY, "{status}");
        assert!(!error.to_api().to_string().contains("seed"));
    }
    assert!(matches!(refusal(&answering(200, "not json").await).await, EngineError::Failed { .. }));
    let nobody = engine(HttpSettings::new("http://127.0.0.1:1/v1"));
    assert!(matches!(refusal(&nobody).await, EngineError::Failed { .. }));
}

#[tokio::test]
async fn an_answer_that_never_ends_is_given_up() {
    let address = serve(|_| async {
        let endless = stream::repeat_with(|| Ok(Frame::data(Bytes::from(vec![b' '; 1 << 20]))));
        Response::new(StreamBody::new(endless).boxed_unsync())
    })
    .await;
    let error = refusal(&engine(HttpSettings::new(format!("http://{address}")))).await;
    assert!(error.to_string().contains("larger than"), "{error}");
}

#[tokio::test]
async fn silence_is_given_up_before_and_inside_an_answer() {
    let brief = Duration::from_millis(50);
    let address = serve(|_| std::future::pending()).await;
    let settings = HttpSettings { first_byte_timeout: brief, ..HttpSettings::new(format!("http://{address}")) };
    assert!(refusal(&engine(settings)).await.to_string().contains("within 50 ms"));

    let address = serve(|_| async {
        let first = stream::iter([Ok(Frame::data(Bytes::from(chunk(r#"{"content":"a"}"#, "null", ""))))]);
        Response::new(StreamBody::new(first.chain(stream::pending())).boxed_unsync())
    })
    .await;
    let settings = HttpSettings { idle_timeout: brief, ..HttpSettings::new(format!("http://{address}")) };
    let mut chunks = streamed(&engine(settings)).await;
    assert!(chunks.next().await.unwrap().is_ok());
    assert!(chunks.next().await.unwrap().unwrap_err().to_string().contains("within 50 ms"));
}

#[tokio::test]
async fn the_upstream_learns_that_the_caller_left() {
    let (sender, receiver) = mpsc::channel::<Result<Frame<Bytes>, std::io::Error>>(1);
    sender.send(Ok(Frame::data(Bytes::from(chunk(r#"{"content":"a"}"#, "null", ""))))).await.unwrap();
    let body = Mutex::new(Some(receiver));
    let address = serve(move |_| {
        let receiver = body.lock().take().unwrap();
        let frames = stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
        let answer = Response::new(StreamBody::new(frames).boxed_unsync());
        async move { answer }
    })
    .await;
    let mut chunks = streamed(&engine(HttpSettings::new(format!("http://{address}")))).await;
    assert!(chunks.next().await.unwrap().is_ok());
    assert!(!sender.is_closed());
    drop(chunks);
    tokio::time::timeout(Duration::from_secs(10), sender.closed()).await.expect("the upstream never learned of it");
}

#[tokio::test]
async fn a_request_that_is_dropped_before_its_answer_is_cancelled_too() {
    let (began, has_begun) = oneshot::channel::<()>();
    let (alive, gone) = oneshot::channel::<()>();
    let ends = Mutex::new(Some((began, alive)));
    let address = serve(move |_| {
        let (began, alive) = ends.lock().take().unwrap();
        async move {
            began.send(()).unwrap();
            let _held = alive;
            std::future::pending().await
        }
    })
    .await;
    let engine = engine(HttpSettings::new(format!("http://{address}")));
    let asking = tokio::spawn(async move { engine.chat(request(&json!({}))).await.is_ok() });
    has_begun.await.unwrap();
    asking.abort();
    let gone = tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the upstream went on");
    assert!(gone.is_err());
}

/// A server that answers so, and what it was asked.
async fn recording(body: &'static str) -> (HttpEngine, Arc<Mutex<Vec<(String, Value)>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let address = serve(move |request: Request<Incoming>| {
        let sink = sink.clone();
        async move {
            let path = request.uri().path().to_owned();
            let asked = request.into_body().collect().await.unwrap().to_bytes();
            sink.lock().push((path, serde_json::from_slice(&asked).unwrap()));
            Response::new(full(body))
        }
    })
    .await;
    (engine(HttpSettings::new(format!("http://{address}/v1"))), seen)
}

fn piece_of(index: u32, text: &str, finish: &str) -> String {
    format!(r#"{{"index":{index},"delta":{{"content":"{text}"}},"finish_reason":{finish}}}"#)
}

fn event_of(choices: &[String]) -> String {
    let choices = choices.join(",");
    format!("data: {{\"id\":\"c1\",\"created\":1,\"model\":\"up\",\"choices\":[{choices}]}}\n\n")
}

async fn asked_for(engine: &HttpEngine, n: u32) -> Vec<Result<ChatChunk, EngineError>> {
    match engine.chat(request(&json!({ "stream": true, "n": n }))).await {
        Ok(Answer::Stream(chunks)) => chunks.collect().await,
        Ok(Answer::Whole(_)) => panic!("not streamed"),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn choices_may_come_in_any_order_and_several_in_one_event() {
    let stop = "\"stop\"";
    let engine = streaming(vec![
        event_of(&[piece_of(1, "b", "null")]),
        event_of(&[piece_of(0, "a", "null"), piece_of(1, "c", stop)]),
        event_of(&[piece_of(0, "d", stop)]),
        "data: [DONE]\n\n".to_owned(),
    ])
    .await;
    let chunks: Vec<ChatChunk> = asked_for(&engine, 2).await.into_iter().map(Result::unwrap).collect();
    let choices: Vec<_> = chunks
        .iter()
        .map(|chunk| {
            assert_eq!(chunk.choices.len(), 1);
            &chunk.choices[0]
        })
        .collect();
    let told: Vec<_> =
        choices.iter().map(|choice| (choice.index, choice.delta.content.as_deref(), choice.delta.role)).collect();
    let role = Some(Role::Assistant);
    let expected = [(1, Some("b"), role), (0, Some("a"), role), (1, Some("c"), None), (0, Some("d"), None)];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_server_that_makes_another_number_of_choices_is_found_out() {
    let stop = "\"stop\"";
    let fewer = streaming(vec![event_of(&[piece_of(0, "a", stop)]), "data: [DONE]\n\n".to_owned()]).await;
    assert!(asked_for(&fewer, 2).await.last().unwrap().is_err());
    let more = streaming(vec![event_of(&[piece_of(2, "a", stop)])]).await;
    assert!(asked_for(&more, 2).await.last().unwrap().is_err());
    let whole = answering(200, WHOLE).await.chat(request(&json!({ "n": 2 }))).await.err().unwrap();
    assert!(whole.to_string().contains("1 choices of 2"), "{whole}");
}

#[tokio::test]
async fn the_stop_text_is_passed_on_and_a_stop_token_is_not() {
    for (sent, expected) in [("\"END\"", Some("END")), ("151643", None)] {
        let last = format!(r#"{{"index":0,"delta":{{}},"finish_reason":"stop","stop_reason":{sent}}}"#);
        let engine = streaming(vec![event_of(&[last])]).await;
        let chunks = asked_for(&engine, 1).await;
        assert_eq!(chunks[0].as_ref().unwrap().choices[0].stop_reason.as_deref(), expected);
    }
}

#[tokio::test]
async fn what_the_server_is_not_known_to_follow_is_refused_by_name() {
    let image = json!([{ "type": "image_url", "image_url": { "url": "data:image/png;base64,AA==" } }]);
    let cases = [
        (json!({ "response_format": { "type": "regex", "regex": "a+" } }), "response_format.regex"),
        (json!({ "response_format": { "type": "grammar", "grammar": "start: \"a\"" } }), "response_format.grammar"),
        (json!({ "reasoning_effort": "high" }), "reasoning_effort"),
        (json!({ "messages": [{ "role": "user", "content": image }] }), "messages[0].content[0]"),
    ];
    let (engine, seen) = recording(WHOLE).await;
    for (change, field) in &cases {
        let error = engine.chat(request(change)).await.err().unwrap();
        assert!(matches!(&error, EngineError::BadRequest { param: Some(param), .. } if param == field), "{error}");
    }
    assert!(seen.lock().is_empty());
    assert!(engine.chat(request(&json!({ "reasoning_effort": "none" }))).await.is_ok());

    let address = serve(|_| async { Response::new(full(WHOLE)) }).await;
    let able = common::model_with("m", &["image_input", "reasoning_effort"]);
    let able = HttpEngine::new(HttpSettings::new(format!("http://{address}/v1")), able).unwrap();
    for (change, _) in &cases[2..] {
        assert!(able.chat(request(change)).await.is_ok(), "{change}");
    }
}

#[tokio::test]
async fn raw_prompts_go_to_the_servers_completions_and_come_back_as_chunks() {
    const EVENTS: &str = "data: {\"id\":\"cmpl-1\",\"created\":1,\"model\":\"up\",\"choices\":[{\"index\":1,\"text\":\" b\",\
         \"finish_reason\":\"length\",\"logprobs\":null}]}\n\n\
         data: {\"id\":\"cmpl-1\",\"created\":1,\"model\":\"up\",\"choices\":[{\"index\":0,\"text\":\" a\",\
         \"finish_reason\":\"stop\",\"stop_reason\":7}],\
         \"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\ndata: [DONE]\n\n";
    let (engine, seen) = recording(EVENTS).await;
    let asked = json!({ "model": "m", "prompt": ["x", [1, 2]], "max_tokens": 1 });
    let Ok(Answer::Stream(chunks)) = engine.complete(serde_json::from_value(asked).unwrap()).await else {
        panic!("no stream")
    };
    let chunks: Vec<ChatChunk> = chunks.try_collect().await.unwrap();
    assert_eq!((chunks[0].choices[0].index, text(&chunks[..1])), (1, " b".to_owned()));
    assert_eq!(chunks[1].choices[0].finish_reason, Some(FinishReason::Stop));
    assert_eq!(chunks[2].usage.as_ref().unwrap().total_tokens, 5);
    let (path, body) = seen.lock().pop().unwrap();
    assert_eq!(path, "/v1/completions");
    let expected = json!({ "model": "up", "prompt": ["x", [1, 2]], "max_tokens": 1, "stream": true,
        "stream_options": { "include_usage": true } });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn embeddings_come_back_in_order_and_in_the_form_that_was_asked_for() {
    // 1.0 and -2.0 as little-endian floats are the bytes 0000803f 000000c0.
    const PACKED: &str = r#"{"object":"list","model":"up","usage":{"prompt_tokens":4,"total_tokens":4},"data":[
        {"object":"embedding","index":1,"embedding":[0.5,0.25]},
        {"object":"embedding","index":0,"embedding":"AACAPwAAAMA="}]}"#;
    let asked = |change: Value| {
        let mut body = json!({ "model": "m", "input": ["x", "y"] });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    };
    let (engine, seen) = recording(PACKED).await;
    let answer = engine.embed(asked(json!({ "dimensions": 2 }))).await.unwrap();
    let told = serde_json::to_value(&answer).unwrap();
    assert_eq!((&told["model"], &told["usage"]["prompt_tokens"]), (&json!("m"), &json!(4)));
    assert_eq!(
        (&told["data"][0]["embedding"], &told["data"][1]["embedding"]),
        (&json!([1.0, -2.0]), &json!([0.5, 0.25]))
    );
    let (path, body) = seen.lock().pop().unwrap();
    let expected = json!({ "model": "up", "input": ["x", "y"], "encoding_format": "base64", "dimensions": 2 });
    assert_eq!((path.as_str(), body), ("/v1/embeddings", expected));
    let packed = engine.embed(asked(json!({ "encoding_format": "base64" }))).await.unwrap();
    assert_eq!(serde_json::to_value(&packed).unwrap()["data"][0]["embedding"], "AACAPwAAAMA=");

    let broken = [
        r#"{"model":"up","usage":{"prompt_tokens":1,"total_tokens":1},"data":[{"index":0,"embedding":[1]}]}"#,
        r#"{"model":"up","usage":{"prompt_tokens":1,"total_tokens":1},"data":[{"index":0,"embedding":[1]},
            {"index":1,"embedding":[1,2]}]}"#,
        r#"{"model":"up","usage":{"prompt_tokens":1,"total_tokens":1},"data":[{"index":0,"embedding":[1]},
            {"index":0,"embedding":[1]}]}"#,
    ];
    for body in broken {
        let error = answering(200, body).await.embed(asked(json!({}))).await.unwrap_err();
        assert!(matches!(error, EngineError::Failed { .. }), "{error}");
    }
}
