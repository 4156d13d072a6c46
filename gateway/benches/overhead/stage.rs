//! The processes that are measured.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Upstream, gateway and node, and a funded key. All end when it is dropped.
pub(crate) struct Stage {
    _folder: TempDir,
    children: Vec<Child>,
    upstream: SocketAddr,
    gateway: SocketAddr,
    gateway_pid: u32,
    key: String,
}

impl Stage {
    /// Starts everything and waits until it is ready.
    pub(crate) async fn set() -> Self {
        let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
        let data = folder.path().join("gateway");
        let peerway = |arguments: &[&str]| {
            let run = Command::new(binary("peerway")).arg("--data-dir").arg(&data).args(arguments).output();
            let output = run.expect("peerway runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).expect("output is UTF-8").trim().to_owned()
        };
        add_model(&peerway);
        let account = peerway(&["account", "create", "bench"]);
        peerway(&["credit", "grant", &account, "1000"]);
        let key = peerway(&["key", "create", &account]);

        let myself = std::env::current_exe().expect("a process knows its program");
        let mut upstream = Command::new(myself).arg("upstream").stdout(Stdio::piped()).spawn().expect("a copy starts");
        let mut line = String::new();
        let output = upstream.stdout.take().expect("its output is piped");
        BufReader::new(output).read_line(&mut line).expect("it prints its address");
        let upstream_address: SocketAddr = line.trim().parse().expect("it prints its address");

        let (gateway, p2p) = (free_address(), free_address());
        let listen = format!("/ip4/127.0.0.1/tcp/{}", p2p.port());
        let serve = Command::new(binary("peerway"))
            .arg("--data-dir")
            .arg(&data)
            .args(["serve", "--mdns", "false", "--p2p-listen", &listen, "--listen", &gateway.to_string()])
            .stderr(Stdio::null())
            .spawn()
            .expect("peerway runs");
        let gateway_pid = serve.id();
        let node = Command::new(binary("peerway-node"))
            .args(["--engine", "http", "--upstream", &format!("http://{upstream_address}/v1"), "--model-id", "bench"])
            .args(["--price-input", "0.10", "--price-output", "0.20", "--slots", "256", "--gateway", &listen])
            .args(["--context", "2048", "--data-dir"])
            .arg(folder.path().join("node"))
            .stderr(Stdio::null())
            .spawn()
            .expect("peerway-node runs");
        let stage = Self {
            _folder: folder,
            children: vec![node, serve, upstream],
            upstream: upstream_address,
            gateway,
            gateway_pid,
            key,
        };
        stage.await_ready().await;
        stage
    }

    pub(crate) fn upstream(&self) -> SocketAddr {
        self.upstream
    }

    pub(crate) fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    pub(crate) fn gateway_pid(&self) -> u32 {
        self.gateway_pid
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Ends everything.
    pub(crate) fn strike(self) {}

    async fn await_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if is_ready(self.gateway).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("gateway and node are not ready after 20 s");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// With the demo model's tokenizer and template where it is at hand: then tokens are counted as they are in earnest.
fn add_model(peerway: &dyn Fn(&[&str]) -> String) {
    match std::env::var("PEERWAY_DEMO_MODEL") {
        Ok(gguf) => peerway(&["model", "add", "bench", "--gguf", &gguf]),
        Err(_) => {
            println!("PEERWAY_DEMO_MODEL is not set: bytes are metered, not tokens");
            peerway(&["model", "add", "bench", "--context-length", "2048"])
        }
    };
}

fn binary(name: &str) -> PathBuf {
    if let Some(folder) = std::env::var_os("PEERWAY_BIN") {
        return PathBuf::from(folder).join(name);
    }
    // target/release/deps/overhead-…: the binaries are one folder up.
    let myself = std::env::current_exe().expect("a process knows its program");
    let folder = myself.ancestors().nth(2).expect("it lies in target/release/deps");
    folder.join(name)
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound")
}

async fn is_ready(gateway: SocketAddr) -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let Ok(mut stream) = tokio::net::TcpStream::connect(gateway).await else { return false };
    let request = b"GET /ready HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request).await.is_ok()
        && stream.read_to_string(&mut answer).await.is_ok()
        && answer.starts_with("HTTP/1.1 200")
}
