//! The folder of records, and the recordings that still grow.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use parking_lot::Mutex;
use tracing::{info, warn};

use super::key::{Fingerprint, RequestKey};
use super::record::Record;
use super::recording::{Recorded, Recording};
use crate::layers::RequestId;

/// How long an answer is given again.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How often records past that are removed.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// Requests that have names of their own.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
    growing: Mutex<HashMap<RequestKey, Growing>>,
}

#[derive(Debug, Clone)]
struct Growing {
    fingerprint: Fingerprint,
    recording: Arc<Recording>,
}

/// What a name is taken for.
#[derive(Debug)]
pub(super) enum Claim {
    /// The first of its name: to be served under this name of the gateway's own, and recorded.
    First(RequestId, Arc<Recording>),
    /// The first is being served.
    Running(Arc<Recording>),
    /// The first was served.
    Served(Recorded),
    /// The name is another request's.
    Taken,
}

impl Shelf {
    /// Uses a folder, which is made where it is missing. Answers are in it, so nobody else may read it.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        Ok(Self { folder, growing: Mutex::default() })
    }

    /// Takes a name for a request. Waits for the disk.
    pub(super) fn claim(&self, key: &RequestKey, fingerprint: &Fingerprint, id: RequestId) -> io::Result<Claim> {
        // Held over the read and the write: of two that come at once, one is the first.
        let mut growing = self.growing.lock();
        if let Some(running) = growing.get(key) {
            let same = running.fingerprint == *fingerprint;
            return Ok(if same { Claim::Running(Arc::clone(&running.recording)) } else { Claim::Taken });
        }
        let kept = self.read(key)?;
        let request = match kept {
            Some(record) if record.fingerprint != *fingerprint => return Ok(Claim::Taken),
            Some(Record { answer: Some(answer), .. }) => return Ok(Claim::Served(answer)),
            // A crash ended it. Under its old name it is not charged again.
            Some(record) => record.request,
            None => {
                let record = Record { request: id, fingerprint: fingerprint.clone(), answer: None };
                self.write(key, &record)?;
                id
            }
        };
        let recording = Recording::begin();
        let entry = Growing { fingerprint: fingerprint.clone(), recording: Arc::clone(&recording) };
        growing.insert(key.clone(), entry);
        Ok(Claim::First(request, recording))
    }

    /// The answer is over. A good one is kept, and after a refusal the name is free again. One that broke off may have been
    /// charged: its record stays as it was begun, so that the next try runs under the same name. Waits for the disk.
    pub(super) fn settle(
        &self,
        key: &RequestKey,
        request: RequestId,
        fingerprint: &Fingerprint,
        recording: &Recording,
    ) {
        let good = recording.whole().filter(|_| recording.is_good());
        let written = match good {
            Some(answer) => {
                let record = Record { request, fingerprint: fingerprint.clone(), answer: Some(answer) };
                self.write(key, &record)
            }
            None if recording.is_refusal() => fs::remove_file(self.path(key)),
            None => Ok(()),
        };
        if let Err(error) = written {
            warn!(%error, "an answer could not be kept for its Idempotency-Key");
        }
        self.growing.lock().remove(key);
    }

    /// Removes what is too old, again and again, until the task is dropped.
    pub async fn sweep(&self) {
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        loop {
            ticks.tick().await;
            let (folder, now) = (self.folder.clone(), SystemTime::now());
            let swept = tokio::task::spawn_blocking(move || remove_old(&folder, now)).await;
            match swept {
                Ok(Ok(0)) => {}
                Ok(Ok(records)) => info!(records, "answers kept for an Idempotency-Key were removed after 24 h"),
                Ok(Err(error)) => warn!(%error, "old answers could not be removed"),
                Err(error) => warn!(%error, "old answers could not be removed"),
            }
        }
    }

    fn path(&self, key: &RequestKey) -> PathBuf {
        self.folder.join(&key.0)
    }

    /// What is kept under a name, and not too old.
    fn read(&self, key: &RequestKey) -> io::Result<Option<Record>> {
        let path = self.path(key);
        match fs::metadata(&path).and_then(|file| file.modified()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
            Ok(written) if is_old(written, SystemTime::now()) => return Ok(None),
            Ok(_) => {}
        }
        Ok(Record::of_bytes(Bytes::from(fs::read(&path)?)))
    }

    /// Whole or not at all, and on the disk before it returns.
    fn write(&self, key: &RequestKey, record: &Record) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&record.to_bytes())?;
        file.as_file().sync_all()?;
        file.persist(self.path(key)).map_err(|error| error.error)?;
        Ok(())
    }
}

fn is_old(written: SystemTime, now: SystemTime) -> bool {
    now.duration_since(written).is_ok_and(|age| age > KEPT_FOR)
}

/// Removes files that are too old; answers how many.
fn remove_old(folder: &Path, now: SystemTime) -> io::Result<u64> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if is_old(entry.metadata()?.modified()?, now) {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    struct Bench {
        folder: tempfile::TempDir,
        shelf: Shelf,
    }

    fn bench() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path().join("once")).unwrap();
        Bench { folder, shelf }
    }

    fn key() -> RequestKey {
        RequestKey("k".into())
    }

    fn print(of: &str) -> Fingerprint {
        Fingerprint(of.into())
    }

    fn serve(shelf: &Shelf, id: RequestId, status: StatusCode) {
        let Claim::First(request, recording) = shelf.claim(&key(), &print("a"), id).unwrap() else {
            panic!("not first")
        };
        recording.head(status, HeaderMap::new());
        recording.push(Bytes::from_static(b"answer"));
        recording.end(false);
        shelf.settle(&key(), request, &print("a"), &recording);
    }

    #[test]
    fn the_second_gets_what_the_first_got() {
        let bench = bench();
        serve(&bench.shelf, RequestId::random(), StatusCode::OK);
        let again = bench.shelf.claim(&key(), &print("a"), RequestId::random()).unwrap();
        let Claim::Served(answer) = again else { panic!("{again:?}") };
        assert_eq!(answer.body, ["answer"]);
        assert!(matches!(bench.shelf.claim(&key(), &print("b"), RequestId::random()).unwrap(), Claim::Taken));
    }

    #[test]
    fn while_the_first_runs_the_second_reads_along() {
        let Bench { shelf, folder: _folder } = bench();
        let first = shelf.claim(&key(), &print("a"), RequestId::random()).unwrap();
        let Claim::First(_, recording) = first else { panic!("{first:?}") };
        let second = shelf.claim(&key(), &print("a"), RequestId::random()).unwrap();
        assert!(matches!(second, Claim::Running(same) if Arc::ptr_eq(&same, &recording)));
        assert!(matches!(shelf.claim(&key(), &print("b"), RequestId::random()).unwrap(), Claim::Taken));
    }

    #[test]
    fn after_a_failure_the_name_is_free() {
        let Bench { shelf, folder: _folder } = bench();
        serve(&shelf, RequestId::random(), StatusCode::SERVICE_UNAVAILABLE);
        let id = RequestId::random();
        assert!(matches!(shelf.claim(&key(), &print("b"), id).unwrap(), Claim::First(own, _) if own == id));
    }

    #[test]
    fn after_a_broken_answer_a_request_runs_again_under_its_first_name() {
        let Bench { shelf, folder: _folder } = bench();
        let first = RequestId::random();
        let claimed = shelf.claim(&key(), &print("a"), first).unwrap();
        let Claim::First(_, recording) = claimed else { panic!("{claimed:?}") };
        recording.head(StatusCode::OK, HeaderMap::new());
        recording.spoil();
        recording.end(false);
        shelf.settle(&key(), first, &print("a"), &recording);
        let again = shelf.claim(&key(), &print("a"), RequestId::random()).unwrap();
        assert!(matches!(again, Claim::First(id, _) if id == first));
        assert!(matches!(shelf.claim(&key(), &print("b"), RequestId::random()).unwrap(), Claim::Taken));
    }

    #[test]
    fn after_a_crash_a_request_runs_again_under_its_first_name() {
        let Bench { shelf, folder } = bench();
        let first = RequestId::random();
        shelf.claim(&key(), &print("a"), first).unwrap();
        drop(shelf);
        let shelf = Shelf::open(folder.path().join("once")).unwrap();
        let again = shelf.claim(&key(), &print("a"), RequestId::random()).unwrap();
        assert!(matches!(again, Claim::First(id, _) if id == first));
    }

    #[test]
    fn after_a_day_it_is_forgotten() {
        let Bench { shelf, folder } = bench();
        serve(&shelf, RequestId::random(), StatusCode::OK);
        let past = SystemTime::now() - KEPT_FOR - Duration::from_secs(1);
        fs::File::open(folder.path().join("once/k")).unwrap().set_modified(past).unwrap();
        let id = RequestId::random();
        assert!(matches!(shelf.claim(&key(), &print("b"), id).unwrap(), Claim::First(own, _) if own == id));
        let later = SystemTime::now() + KEPT_FOR * 2;
        assert_eq!(remove_old(&folder.path().join("once"), later).unwrap(), 1);
    }
}
