//! The binary as an operator runs it, with a gateway's peer-to-peer side in this process.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use bytes::Bytes;
use common::{TestBody, serve};
use futures::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use parking_lot::Mutex;
use peerway_p2p::{GatewayPeer, GatewayPeerConfig, Identity, PeerId};
use serde_json::{Value, json};
use tokio::process::{Child, Command as AsyncCommand};
use tokio::sync::mpsc;

const BINARY: &str = env!("CARGO_BIN_EXE_peerway-node");
const LIMIT: Duration = Duration::from_secs(30);

async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(LIMIT, future).await.expect("in time")
}

async fn gateway() -> GatewayPeer {
    let listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    GatewayPeer::start(Identity::generate(), GatewayPeerConfig { listen, ..Default::default() }).await.unwrap()
}

/// A node that fronts this upstream, for this gateway.
fn node(folder: &Path, gateway: &GatewayPeer, upstream: &str, more: &[&str]) -> Child {
    AsyncCommand::new(BINARY)
        .args(["--engine", "http", "--upstream", upstream, "--model-id", "m", "--slots", "2"])
        .args(["--price-input", "0.05", "--price-output", "0.1", "--operator", "acct-1", "--region", "test"])
        .arg("--gateway")
        .arg(gateway.addresses()[0].to_string())
        .arg("--data-dir")
        .arg(folder.join("data"))
        .arg("--status-file")
        .arg(folder.join("status.json"))
        .args(more)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Waits until the gateway has as many nodes for the model.
async fn offered(gateway: &GatewayPeer, count: usize) -> Vec<PeerId> {
    let mut versions = gateway.directory().versions();
    in_time(async {
        loop {
            let snapshot = gateway.directory().snapshot();
            let nodes: Vec<PeerId> = snapshot.candidates("m").iter().map(peerway_p2p::Candidate::peer_id).collect();
            if nodes.len() == count {
                return nodes;
            }
            versions.changed().await.unwrap();
        }
    })
    .await
}

fn asking(is_stream: bool) -> Request<Full<Bytes>> {
    let body = json!({ "model": "m", "stream": is_stream, "messages": [{ "role": "user", "content": "x" }] });
    Request::post("/v1/chat/completions").body(Full::new(Bytes::from(body.to_string()))).unwrap()
}

fn piece(text: &str, finish: &str) -> Result<Frame<Bytes>, std::io::Error> {
    Ok(Frame::data(Bytes::from(format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"u\",\
         \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{finish}}}]}}\n\n"
    ))))
}

/// An upstream whose one stream says what is sent into the channel.
async fn fed_upstream() -> (mpsc::Sender<Result<Frame<Bytes>, std::io::Error>>, String) {
    let (feed, food) = mpsc::channel(4);
    let food = Mutex::new(Some(food));
    let address = serve(move |_| {
        let food = food.lock().take().unwrap();
        let body: TestBody = StreamBody::new(stream::unfold(food, |mut food: mpsc::Receiver<_>| async {
            Some((food.recv().await?, food))
        }))
        .boxed_unsync();
        async move { Response::new(body) }
    });
    (feed, format!("http://{}/v1", address.await))
}

/// The status file, once it speaks of a gateway that took the advert.
async fn status(folder: &Path) -> Value {
    let read = || serde_json::from_slice::<Value>(&std::fs::read(folder.join("status.json")).unwrap()).unwrap();
    let versions = stream::repeat(()).then(|()| async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        read()
    });
    let mut serving = std::pin::pin!(versions.filter(|status| {
        std::future::ready(status["state"] == "serving" && status["gateways"][0]["accepted"] == true)
    }));
    in_time(serving.next()).await.unwrap()
}

fn terminate(child: &Child) {
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_withdraws_the_advert_and_lets_a_running_stream_finish() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway().await;
    let (feed, upstream) = fed_upstream().await;
    let mut child = node(folder.path(), &gateway, &upstream, &[]);
    let peer = offered(&gateway, 1).await[0];
    let status = status(folder.path()).await;
    assert_eq!((&status["pid"], &status["peer_id"]), (&json!(child.id().unwrap()), &json!(peer.to_string())));
    assert_eq!(status["models"][0]["price_input"], "0.05");

    feed.send(piece("a", "null")).await.unwrap();
    let response = in_time(gateway.client().send(peer, asking(true))).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    let first = in_time(body.frame()).await.unwrap().unwrap().into_data().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("\"content\":\"a\""));

    terminate(&child);
    offered(&gateway, 0).await;
    feed.send(piece("b", "\"stop\"")).await.unwrap();
    feed.send(Ok(Frame::data(Bytes::from("data: [DONE]\n\n")))).await.unwrap();
    let rest = in_time(body.collect()).await.unwrap().to_bytes();
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.contains("\"content\":\"b\"") && rest.ends_with("data: [DONE]\n\n"), "{rest}");
    assert_eq!(in_time(child.wait()).await.unwrap().code(), Some(0));
    assert!(!folder.path().join("status.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_does_not_finish_is_cut_off_at_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway().await;
    let (feed, upstream) = fed_upstream().await;
    let mut child = node(folder.path(), &gateway, &upstream, &["--drain-timeout", "0"]);
    let peer = offered(&gateway, 1).await[0];
    feed.send(piece("a", "null")).await.unwrap();
    let mut body = in_time(gateway.client().send(peer, asking(true))).await.unwrap().into_body();
    in_time(body.frame()).await.unwrap().unwrap();
    terminate(&child);
    assert_eq!(in_time(child.wait()).await.unwrap().code(), Some(0));
    in_time(feed.closed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_is_noticed_upstream() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway().await;
    let (feed, upstream) = fed_upstream().await;
    let _child = node(folder.path(), &gateway, &upstream, &[]);
    let peer = offered(&gateway, 1).await[0];
    feed.send(piece("a", "null")).await.unwrap();
    let mut body = in_time(gateway.client().send(peer, asking(true))).await.unwrap().into_body();
    in_time(body.frame()).await.unwrap().unwrap();
    drop(body);
    tokio::time::timeout(Duration::from_secs(1), feed.closed()).await.expect("the work stops within a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_reaches_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway().await;
    let (feed, upstream) = fed_upstream().await;
    let _child = node(folder.path(), &gateway, &upstream, &[]);
    let peer = offered(&gateway, 1).await[0];
    feed.send(piece("a", "null")).await.unwrap();
    let mut body = in_time(gateway.client().send(peer, asking(true))).await.unwrap().into_body();
    in_time(body.frame()).await.unwrap().unwrap();
    // Nothing wakes at a load report, so this looks again and again; the report comes every 250 ms at most.
    let running = stream::repeat(()).then(|()| async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        gateway.directory().snapshot().candidates("m")[0].stats().load().running
    });
    let mut running = std::pin::pin!(running.filter(|running| std::future::ready(*running == 1)));
    in_time(running.next()).await.unwrap();
}

fn run(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).stdin(Stdio::null()).env_remove("PEERWAY_NODE_CONFIG").output().unwrap()
}

#[test]
fn what_keeps_a_node_from_starting_is_one_line_and_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let config = |text: &str| {
        let mut file = tempfile::NamedTempFile::new_in(folder.path()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.into_temp_path().keep().unwrap().to_str().unwrap().to_owned()
    };
    let not_a_model = config("not a model");
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let http = ["--engine", "http", "--upstream", "http://127.0.0.1:1", "--model-id", "m", "--data-dir", data];
    let with = |more: &[&'static str]| [&http[..], more].concat();
    let unknown = config("slotz = 3\n");
    let cases: Vec<(Vec<&str>, i32, &str)> = vec![
        (vec!["--config", &unknown], 2, "slotz"),
        (vec!["--config", "/nowhere/node.toml"], 2, "/nowhere/node.toml"),
        (with(&["--price-input", "free"]), 2, "free"),
        (with(&["--price-input", "-1"]), 2, "-1"),
        (with(&["--gateway", "gateway.example.com:4001"]), 2, "gateway.example.com:4001"),
        (with(&["--slots", "0"]), 2, "--slots"),
        (with(&["--slotz", "0"]), 2, "--slotz"),
        (with(&["--log", "x=loudest"]), 2, "--log"),
        (
            vec!["--engine", "http", "--upstream", "localhost:1", "--model-id", "m", "--data-dir", data],
            2,
            "localhost:1",
        ),
        (vec!["--engine", "http", "--upstream", "http://h", "--model-id", "m", "--data-dir", "/proc/x"], 1, "/proc/x"),
        (with(&["--status-file", "/nowhere/status.json"]), 1, "/nowhere/status.json"),
    ];
    for (arguments, code, named) in cases {
        let output = run(&arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        // clap adds its usage below the line that says what is wrong.
        assert!(error.contains(named), "{arguments:?}: {error}");
        if code == 1 || !error.starts_with("error:") {
            assert_eq!(error.lines().count(), 1, "{arguments:?}: {error}");
        }
    }
    if cfg!(feature = "mistral") {
        for (model, named) in [(not_a_model.as_str(), "not a GGUF file"), ("/nowhere/x.gguf", "/nowhere/x.gguf")] {
            let output = run(&["--model", model, "--data-dir", data, "--log", "error"]);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{error}");
            assert!(error.contains(named), "{error}");
        }
    }
}

#[test]
fn help_is_for_operators() {
    let output = run(&["--help"]);
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0));
    for part in ["--model", "--upstream", "--price-output", "--drain-timeout", "Examples:", "PEERWAY_NODE_SLOTS"] {
        assert!(help.contains(part), "{part}");
    }
}
