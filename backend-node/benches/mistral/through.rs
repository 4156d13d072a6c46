//! The same model behind gateway and libp2p hop: three processes, as they are sold.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt;
use peerway_openapi::chat::ChatChunk;
use peerway_openapi::sse::{DONE, Decoder};
use tempfile::TempDir;

use super::Took;

/// A gateway and a node with the demo model, and a funded key. Both end when it is dropped.
pub(crate) struct Through {
    _folder: TempDir,
    children: Vec<Child>,
    base_url: String,
    key: String,
}

impl Through {
    /// Starts both and waits until a request would find the node.
    pub(crate) async fn start(model: &Path) -> Self {
        let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
        let data = folder.path().join("gateway");
        let peerway = |arguments: &[&str]| {
            let run = Command::new(binary("peerway")).arg("--data-dir").arg(&data).args(arguments).output();
            let output = run.expect("peerway runs; build it first");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).expect("output is UTF-8").trim().to_owned()
        };
        peerway(&["model", "add", "demo", "--gguf", &model.to_string_lossy()]);
        let account = peerway(&["account", "create", "bench"]);
        peerway(&["credit", "grant", &account, "10"]);
        let key = peerway(&["key", "create", &account]);

        let (http, p2p) = (free_address(), free_address());
        let dial = format!("/ip4/127.0.0.1/tcp/{}", p2p.port());
        let gateway = Command::new(binary("peerway"))
            .arg("--data-dir")
            .arg(&data)
            .args(["serve", "--mdns", "false", "--p2p-listen", &dial, "--listen", &http.to_string()])
            .stderr(Stdio::null())
            .spawn()
            .expect("peerway runs");
        let node = Command::new(binary("peerway-node"))
            .args(["--engine", "mistral", "--model-id", "demo", "--prefix-cache", "0", "--gateway", &dial, "--model"])
            .arg(model)
            .args(["--price-input", "0.10", "--price-output", "0.20", "--data-dir"])
            .arg(folder.path().join("node"))
            .stderr(Stdio::null())
            .spawn()
            .expect("peerway-node runs");
        let through = Self { _folder: folder, children: vec![node, gateway], base_url: format!("http://{http}"), key };
        through.await_ready().await;
        through
    }

    async fn await_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            let ready = reqwest::get(format!("{}/ready", self.base_url)).await;
            if ready.is_ok_and(|response| response.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("gateway and node are not ready after 60 s");
    }

    /// Asks for a long answer, streamed. CPU time is not this process's, and not told.
    pub(crate) async fn ask(&self, prompt: &str, tokens: usize) -> Took {
        let body = serde_json::json!({
            "model": "demo", "messages": [{"role": "user", "content": prompt}], "temperature": 0, "stream": true,
            "max_tokens": tokens, "stream_options": {"include_usage": true},
        });
        let began = Instant::now();
        let request = reqwest::Client::new().post(format!("{}/v1/chat/completions", self.base_url));
        let response = request.bearer_auth(&self.key).body(body.to_string()).send().await.expect("the gateway answers");
        assert!(response.status().is_success(), "{}", response.status());
        let (mut bytes, mut events) = (response.bytes_stream(), Decoder::new(1 << 20));
        let (mut first, mut usage) = (None, None);
        'answer: while let Some(piece) = bytes.next().await {
            events.push(&piece.expect("the stream is whole"));
            while let Some(event) = events.next_event().expect("events are small") {
                if event == DONE {
                    break 'answer;
                }
                first.get_or_insert_with(|| began.elapsed());
                let chunk: ChatChunk = serde_json::from_slice(&event).expect("an event is a chunk");
                usage = chunk.usage.or(usage);
            }
        }
        let usage = usage.expect("the answer ends with its usage");
        Took {
            wall: began.elapsed(),
            cpu: Duration::ZERO,
            first: first.expect("an answer has a first chunk"),
            prompt_tokens: usize::try_from(usage.prompt_tokens).expect("a count of tokens"),
            tokens: usize::try_from(usage.completion_tokens).expect("a count of tokens"),
        }
    }
}

impl Drop for Through {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The released binaries lie one folder above this program.
fn binary(name: &str) -> PathBuf {
    let myself = std::env::current_exe().expect("a process knows its program");
    myself.ancestors().nth(2).expect("it lies in target/release/deps").join(name)
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound")
}
