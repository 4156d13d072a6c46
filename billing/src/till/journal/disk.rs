//! What the journal asks of a disk: five things, so that tests can put a disk in its place that crashes.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// One folder, of one process.
pub(in crate::till) trait Disk: Debug + Send {
    /// The names of what is there.
    fn names(&self) -> io::Result<Vec<String>>;
    /// All of a file, where it has no more than `most` bytes.
    fn read(&self, name: &str, most: u64) -> io::Result<Vec<u8>>;
    /// A new file for its owner alone, that is there after a crash.
    fn create(&self, name: &str) -> io::Result<Box<dyn Appending>>;
    /// Gives a file another name, that it has after a crash.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file. It may be there again after a crash.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// A file that grows.
pub(in crate::till) trait Appending: Debug + Send {
    /// Puts `bytes` behind the others. They are there after a crash only once [`Self::sync`] has answered.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Answers once all that was appended outlives a crash.
    fn sync(&mut self) -> io::Result<()>;
}

/// A real folder, locked for this process until dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

const LOCK: &str = "lock";

impl Folder {
    /// Locks the folder at `path`, making it if it is missing. The folder above must exist.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        create_folder(path)?;
        let lock = private().create(true).truncate(false).open(path.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(io::ErrorKind::WouldBlock, "another process uses it")),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Disk for Folder {
    fn names(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn read(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        let file = File::open(self.path.join(name))?;
        let mut bytes = Vec::new();
        file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {most} bytes")));
        }
        Ok(bytes)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Appending>> {
        let file = private().create_new(true).open(self.path.join(name))?;
        sync_folder(&self.path)?;
        Ok(Box::new(Grown(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))?;
        sync_folder(&self.path)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }
}

#[derive(Debug)]
struct Grown(File);

impl Appending for Grown {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// Who reads the journal learns who spends how much.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Ok(()) => path.parent().map_or(Ok(()), sync_folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// A name in a folder outlives a crash only once the folder itself is on disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}
