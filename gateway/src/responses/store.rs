//! The folder of responses.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use peerway_billing::AccountId;
use peerway_openapi::chat::Message;
use peerway_openapi::responses::{InputItem, Response, Turn};
use peerway_openapi::{ApiError, ErrorKind};
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

/// How long a response is kept, as OpenAI has it.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How often responses past that are removed.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// Responses that one goes on from, one after the other.
const LONGEST_CHAIN: usize = 1000;
/// Bytes of them together.
const LARGEST_CHAIN: usize = 64 << 20;
/// What ids begin with.
const PREFIX: &str = "resp_";

/// A response and what it answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stored {
    /// The response as it stood last.
    pub response: Response,
    /// What was asked, without what came before.
    pub input: Vec<InputItem>,
}

/// Responses of all accounts, each account's in a folder of its own.
#[derive(Debug)]
pub struct ResponseStore {
    folder: PathBuf,
}

impl ResponseStore {
    /// Uses a folder, which is made where it is missing. Conversations are in it, so nobody else may read it.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        Ok(Self { folder })
    }

    /// Keeps a response, in place of what was kept under its id. Waits for the disk.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn put(&self, account: &AccountId, stored: &Stored) -> io::Result<()> {
        let path = self.path(account, &stored.response.id).ok_or_else(|| io::Error::other("not a response's id"))?;
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(stored)?)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// The response of this id. Waits for the disk.
    ///
    /// # Errors
    /// `NotFound` where the account has none; `LedgerUnavailable` where it cannot be read.
    pub fn get(&self, account: &AccountId, id: &str) -> Result<Stored, ApiError> {
        let path = self.path(account, id).ok_or_else(|| not_found(id))?;
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(not_found(id)),
            bytes => bytes.map_err(|cause| unreadable(&path, &cause))?,
        };
        serde_json::from_slice(&bytes).map_err(|cause| unreadable(&path, &cause))
    }

    /// Forgets a response. Waits for the disk.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn delete(&self, account: &AccountId, id: &str) -> Result<(), ApiError> {
        let path = self.path(account, id).ok_or_else(|| not_found(id))?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(not_found(id)),
            removed => removed.map_err(|cause| unreadable(&path, &cause)),
        }
    }

    /// The conversation up to and with this response. Waits for the disk.
    ///
    /// # Errors
    /// `NotFound` naming `previous_response_id` where one of the chain is not there.
    pub fn history(&self, account: &AccountId, id: &str) -> Result<Vec<Message>, ApiError> {
        let (mut turns, mut bytes) = (Vec::new(), 0_usize);
        let mut next = Some(id.to_owned());
        while let Some(id) = next {
            if turns.len() == LONGEST_CHAIN || bytes > LARGEST_CHAIN {
                let message = "This conversation has grown too long to go on from. Send its messages as input.";
                return Err(ApiError::invalid("previous_response_id", message));
            }
            bytes = bytes.saturating_add(self.path(account, &id).as_deref().map_or(0, size_of_file));
            let stored = self.get(account, &id).map_err(|error| error.at("previous_response_id"))?;
            next = stored.response.previous_response_id.clone();
            turns.push(Turn { input: stored.input, output: stored.response.output });
        }
        Ok(turns.iter().rev().flat_map(Turn::messages).collect())
    }

    /// Removes what is too old, again and again, until the task is dropped.
    pub async fn sweep(&self) {
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        loop {
            ticks.tick().await;
            let (folder, now) = (self.folder.clone(), SystemTime::now());
            match tokio::task::spawn_blocking(move || remove_old(&folder, now)).await.map_err(io::Error::other) {
                Ok(Ok(0)) => {}
                Ok(Ok(responses)) => info!(responses, "responses were removed after 30 days"),
                Ok(Err(error)) | Err(error) => warn!(%error, "old responses could not be removed"),
            }
        }
    }

    /// Where a response lies. None where the id is none: it comes from a caller, and goes into a path.
    fn path(&self, account: &AccountId, id: &str) -> Option<PathBuf> {
        let is_name = |text: &str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            !text.is_empty() && text.len() <= 100 && text.bytes().all(fits)
        };
        let is_id = id.starts_with(PREFIX) && is_name(id) && is_name(account.as_str());
        is_id.then(|| self.folder.join(account.as_str()).join(format!("{id}.json")))
    }
}

fn size_of_file(path: &Path) -> usize {
    fs::metadata(path).map_or(0, |file| usize::try_from(file.len()).unwrap_or(usize::MAX))
}

fn not_found(id: &str) -> ApiError {
    let shown: String = id.chars().take(128).collect();
    let message = format!("There is no response `{shown}`: it was not stored, was deleted, or is older than 30 days.");
    ApiError::new(ErrorKind::NotFound, message)
}

fn unreadable(path: &Path, cause: &dyn std::fmt::Display) -> ApiError {
    error!(%cause, path = %path.display(), "a kept response cannot be read");
    ApiError::new(ErrorKind::LedgerUnavailable, "Kept responses cannot be read at the moment. Try again.")
}

/// Removes files that are too old; answers how many.
fn remove_old(folder: &Path, now: SystemTime) -> io::Result<u64> {
    let mut removed = 0;
    for account in fs::read_dir(folder)? {
        for entry in fs::read_dir(account?.path())? {
            let entry = entry?;
            let written = entry.metadata()?.modified()?;
            if now.duration_since(written).is_ok_and(|age| age > KEPT_FOR) {
                fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use peerway_openapi::responses::{CreateResponse, ResponsesDialect};

    use super::*;

    fn account(name: &str) -> AccountId {
        AccountId::new(name).unwrap()
    }

    fn stored(id: &str, said: &str, previous: Option<&str>) -> Stored {
        let request: CreateResponse =
            serde_json::from_value(serde_json::json!({"model": "m", "input": said, "previous_response_id": previous}))
                .unwrap();
        let response = ResponsesDialect::new(&request, id, 7).response().clone();
        Stored { response, input: request.items(id) }
    }

    #[test]
    fn a_response_is_its_accounts_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = ResponseStore::open(folder.path().join("responses")).unwrap();
        store.put(&account("a"), &stored("1", "hi", None)).unwrap();
        assert_eq!(store.get(&account("a"), "resp_1").unwrap().response.id, "resp_1");
        assert_eq!(store.get(&account("b"), "resp_1").unwrap_err().kind(), ErrorKind::NotFound);
        store.delete(&account("a"), "resp_1").unwrap();
        assert_eq!(store.get(&account("a"), "resp_1").unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(store.delete(&account("a"), "resp_1").unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn an_id_is_no_path() {
        let folder = tempfile::tempdir().unwrap();
        let store = ResponseStore::open(folder.path().join("responses")).unwrap();
        for id in ["", "resp_", "../a", "resp_/../../x", "resp_\0", "resp_%2e", &format!("resp_{}", "x".repeat(200))] {
            assert_eq!(store.get(&account("a"), id).unwrap_err().kind(), ErrorKind::NotFound, "{id}");
        }
    }

    #[test]
    fn a_conversation_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let store = ResponseStore::open(folder.path().join("responses")).unwrap();
        store.put(&account("a"), &stored("1", "first", None)).unwrap();
        store.put(&account("a"), &stored("2", "second", Some("resp_1"))).unwrap();
        let said: Vec<_> = store.history(&account("a"), "resp_2").unwrap().iter().map(Message::joined_text).collect();
        assert_eq!(said, ["first", "second"]);
        store.delete(&account("a"), "resp_1").unwrap();
        let broken = store.history(&account("a"), "resp_2").unwrap_err();
        assert_eq!((broken.kind(), broken.param()), (ErrorKind::NotFound, Some("previous_response_id")));
    }

    #[test]
    fn after_thirty_days_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let store = ResponseStore::open(folder.path().join("responses")).unwrap();
        store.put(&account("a"), &stored("1", "hi", None)).unwrap();
        let now = SystemTime::now();
        assert_eq!(remove_old(&folder.path().join("responses"), now + KEPT_FOR / 2).unwrap(), 0);
        assert_eq!(remove_old(&folder.path().join("responses"), now + KEPT_FOR * 2).unwrap(), 1);
    }
}
