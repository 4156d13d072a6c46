//! One PostgreSQL server for all tests of a run: the first that needs it starts it, and it ends with the run, however
//! that ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/postgres/testing/server.sh");

/// How long a server may take to start, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The folder of its socket.
pub(crate) fn socket() -> &'static Path {
    static SOCKET: LazyLock<PathBuf> = LazyLock::new(start);
    &SOCKET
}

fn start() -> PathBuf {
    // nextest gives each test a process of its own: there the run is the parent.
    let own = std::process::id();
    let run = if std::env::var_os("NEXTEST_RUN_ID").is_some() { std::os::unix::process::parent_id() } else { own };
    let folder = std::env::temp_dir().join(format!("peerway-postgres-{run}"));
    // Whoever makes the folder starts the server.
    if std::fs::create_dir(&folder).is_ok() {
        Command::new("setsid")
            .arg("--fork")
            .arg(SCRIPT)
            .arg(&folder)
            .arg(run.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("setsid and bash are needed to start PostgreSQL");
    }
    let since = Instant::now();
    while !folder.join("ready").exists() {
        if let Ok(why) = std::fs::read_to_string(folder.join("failed")) {
            panic!("PostgreSQL did not start (Debian's package is postgresql): {why}");
        }
        assert!(since.elapsed() < PATIENCE, "PostgreSQL has not started: see {}", folder.join("log").display());
        std::thread::sleep(Duration::from_millis(50));
    }
    folder.join("socket")
}
