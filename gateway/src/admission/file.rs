//! The file on disk: read, changed by one command at a time, and followed by the running gateway.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use peerway_p2p::{Admission, Admissions};
use tokio::sync::watch;
use tracing::{info, warn};

use super::{AdmissionMode, ListError, NodeList, NodeRules};

/// The file in the data folder.
pub const NODES_FILE: &str = "nodes.txt";
/// Held while a command changes the file.
const LOCK_FILE: &str = "nodes.lock";
/// How often the running gateway looks whether the file has changed.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(400);

/// Why the known nodes cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum NodesError {
    /// The file cannot be used.
    #[error("cannot use {}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// It says something that is no node.
    #[error("{}, {cause}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        cause: ListError,
    },
}

/// The known nodes of a data folder. A missing file is an empty list.
///
/// # Errors
/// `NodesError` naming file and line.
pub fn read(data_dir: &Path) -> Result<NodeList, NodesError> {
    let path = data_dir.join(NODES_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => text.parse().map_err(|cause| NodesError::Line { path, cause }),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(NodeList::default()),
        Err(cause) => Err(NodesError::File { path, cause }),
    }
}

/// Changes the known nodes of a data folder. Whoever reads at the same time sees the list before or after.
///
/// # Errors
/// `NodesError` naming the file; nothing has changed then.
pub fn change<T>(data_dir: &Path, change: impl FnOnce(&mut NodeList) -> T) -> Result<T, NodesError> {
    let at = |path: PathBuf| move |cause| NodesError::File { path, cause };
    let lock = data_dir.join(LOCK_FILE);
    let held = File::create(&lock).map_err(at(lock.clone()))?;
    held.lock().map_err(at(lock))?;
    let mut list = read(data_dir)?;
    let outcome = change(&mut list);
    let (path, draft) = (data_dir.join(NODES_FILE), data_dir.join("nodes.new"));
    let written = File::create(&draft).and_then(|mut file| {
        file.write_all(list.to_string().as_bytes())?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&draft, &path)).map_err(at(path))?;
    Ok(outcome)
}

/// What tells one state of the file from another.
type Fingerprint = Option<(SystemTime, u64, u64)>;

/// The known nodes, for the running gateway.
#[derive(Debug)]
pub struct ListedNodes {
    data_dir: PathBuf,
    mode: AdmissionMode,
    seen: Fingerprint,
    rules: watch::Sender<Arc<dyn Admission>>,
}

impl ListedNodes {
    /// Reads the file.
    ///
    /// # Errors
    /// `NodesError` naming file and line.
    pub fn open(data_dir: &Path, mode: AdmissionMode) -> Result<Self, NodesError> {
        let seen = fingerprint(data_dir);
        let rules = NodeRules::new(mode, &read(data_dir)?);
        let rules = watch::Sender::new(Arc::new(rules) as Arc<dyn Admission>);
        Ok(Self { data_dir: data_dir.to_owned(), mode, seen, rules })
    }

    /// The rules that hold at any time.
    #[must_use]
    pub fn admissions(&self) -> Admissions {
        self.rules.subscribe()
    }

    /// Follows the file for ever. A list that cannot be read changes nothing: neither is everyone let in nor anyone put out.
    pub async fn follow(mut self) {
        let mut ticks = tokio::time::interval(LOOKED_AT_EVERY);
        loop {
            ticks.tick().await;
            self.look();
        }
    }

    fn look(&mut self) {
        let now = fingerprint(&self.data_dir);
        if now == self.seen {
            return;
        }
        self.seen = now;
        match read(&self.data_dir) {
            Ok(list) => {
                info!(nodes = list.entries().count(), "the list of known nodes has changed");
                self.rules.send_replace(Arc::new(NodeRules::new(self.mode, &list)));
            }
            Err(error) => warn!(%error, "the list of known nodes cannot be read; the last one that could holds"),
        }
    }
}

fn fingerprint(data_dir: &Path) -> Fingerprint {
    let found = fs::metadata(data_dir.join(NODES_FILE)).ok()?;
    Some((found.modified().ok()?, found.len(), found.ino()))
}

#[cfg(test)]
mod tests {
    use peerway_p2p::PeerId;

    use super::*;

    #[test]
    fn changes_are_seen_and_a_broken_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let node = PeerId::random();
        let mut listed = ListedNodes::open(folder.path(), AdmissionMode::Listed).unwrap();
        let admissions = listed.admissions();
        let is_in = || admissions.borrow().admit(node, None).is_ok();
        assert!(!is_in());
        change(folder.path(), |list| list.allow(node, None)).unwrap();
        listed.look();
        assert!(is_in());
        fs::write(folder.path().join(NODES_FILE), "somebody").unwrap();
        listed.look();
        assert!(is_in(), "a file that cannot be read put a node out");
        assert!(change(folder.path(), |list| list.disallow(node)).unwrap_err().to_string().contains("line 1"));
        fs::remove_file(folder.path().join(NODES_FILE)).unwrap();
        listed.look();
        assert!(!is_in());
        fs::write(folder.path().join(NODES_FILE), "somebody").unwrap();
        assert!(ListedNodes::open(folder.path(), AdmissionMode::Open).unwrap_err().to_string().contains("somebody"));
    }

    #[test]
    fn commands_at_the_same_time_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| change(folder.path(), |list| list.allow(PeerId::random(), None)).unwrap());
            }
        });
        assert_eq!(read(folder.path()).unwrap().entries().count(), 8);
    }
}
