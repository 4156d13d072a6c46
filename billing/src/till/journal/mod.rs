//! The journal: captures on this gateway's own disk, durable before the ledger has them.
//!
//! The problem: between the moment in which an answer is delivered and the commit that charges for it lie some milliseconds,
//! or minutes where the database is away. A gateway that is killed meanwhile would lose what it had earned for the nodes. So
//! captures are appended here first, all that wait with one flush, and leave once they are in the ledger.
//!
//! It is no second truth: nothing is decided by it. It says what to ask of the ledger, which charges a request once, so that
//! replaying too much changes nothing.
//!
//! Old files are only read. After a start, and after any failure to write, a new one is begun: what a failed flush left of a
//! file is not known, and appending behind a torn write would hide what follows it. Rejected: one file that is overwritten
//! in a ring, which has to be cut and begun anew by the same rules at every turn; a file for each capture, which costs a
//! flush of the folder each.
//!
//! | file | idea |
//! | --- | --- |
//! | `record` | one capture as bytes |
//! | `frame` | records in a row, and what is left of them after damage |
//! | `segment` | one file |
//! | `disk` | what is asked of a disk |
//! | `error` | why it cannot be opened |

mod disk;
mod error;
mod frame;
mod record;
mod segment;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

pub use error::JournalError;
pub(super) use segment::Recovered;

use crate::ledger::Capture;
use disk::Folder;
pub(super) use disk::{Appending, Disk};

/// A file of so many bytes is full.
const FULL: u64 = 8 << 20;
/// Bytes in one write, but for the last record's end.
const AT_ONCE: usize = 1 << 20;
/// No file that this program wrote is longer.
const LONGEST_FILE: u64 = 2 * FULL;

/// The number of a file.
pub(super) type Number = u64;

/// A journal, used by one thread.
#[derive(Debug)]
pub(super) struct Journal {
    disk: Box<dyn Disk>,
    path: PathBuf,
    /// The file that is written to; `None` until there is something to write.
    current: Option<Current>,
    next: Number,
    /// A file of so many bytes is full.
    full: u64,
    /// What every file still waits for, the current one's included.
    waiting: BTreeMap<Number, Waiting>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Current {
    number: Number,
    file: Box<dyn Appending>,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Captures that are not in the ledger.
    captures: u64,
    /// Whether people should look at it.
    keep: bool,
}

/// What one write took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Appended {
    /// The file that they are in.
    pub(super) number: Number,
    /// How many captures are durable now, from the first on.
    pub(super) captures: usize,
}

impl Journal {
    /// Opens the journal in the folder at `path`, making it if it is missing, and answers the files that an earlier process
    /// left, oldest first.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Number>), JournalError> {
        let folder = Folder::open(path).map_err(|error| unusable(path, &error))?;
        Self::on(Box::new(folder), path, FULL)
    }

    /// As [`Self::open`], on any disk. The path is for messages.
    pub(super) fn on(disk: Box<dyn Disk>, path: &Path, full: u64) -> Result<(Self, Vec<Number>), JournalError> {
        let names = disk.names().map_err(|error| unusable(path, &error))?;
        let mut left: Vec<Number> = names.iter().filter_map(|name| segment::number(name)).collect();
        left.sort_unstable();
        let kept = names.iter().filter_map(|name| segment::kept_number(name));
        let next = kept.chain(left.iter().copied()).max().map_or(1, |last| last.saturating_add(1));
        let path = path.to_owned();
        let journal = Self { disk, path, current: None, next, full, waiting: BTreeMap::new(), buffer: Vec::new() };
        Ok((journal, left))
    }

    /// What an earlier process left in the file `number`.
    pub(super) fn recover(&self, number: Number) -> Result<Recovered, JournalError> {
        let name = segment::name(number);
        let bytes = self
            .disk
            .read(&name, LONGEST_FILE)
            .map_err(|error| JournalError::Unusable { path: self.path.join(&name), reason: error.to_string() })?;
        segment::read(&name, &bytes)
    }

    /// All that could be read of an old file is in the ledger; `keep` where people should look at the rest.
    pub(super) fn replayed(&mut self, number: Number, keep: bool) {
        self.leave(number, keep);
    }

    /// Makes as many of `captures` durable as one write takes, which is at least one. On an error none of them counts as
    /// durable, and asking again writes them to a new file.
    pub(super) fn append<'a>(&mut self, captures: impl IntoIterator<Item = &'a Capture>) -> io::Result<Appended> {
        // Not put back after an error: what is in the file then is not known.
        let mut current = match self.current.take().filter(|current| current.bytes < self.full) {
            Some(current) => current,
            None => self.begin()?,
        };
        self.buffer.clear();
        if current.bytes == 0 {
            self.buffer.extend(segment::head());
        }
        let mut taken = 0;
        for capture in captures {
            taken += 1;
            if !frame::append(&mut self.buffer, |bytes| record::write(capture, bytes)) {
                // It goes on to the ledger, which makes it durable as well.
                tracing::error!(request = %capture.request, "a capture is too long for the journal");
            }
            if self.buffer.len() >= AT_ONCE {
                break;
            }
        }
        current.file.append(&self.buffer)?;
        current.file.sync()?;
        current.bytes += self.buffer.len() as u64;
        let number = current.number;
        self.waiting.entry(number).or_default().captures += taken as u64;
        self.current = Some(current);
        Ok(Appended { number, captures: taken })
    }

    /// So many captures of a file have had the ledger's answer; `keep` where it refused one. A file that is not written to
    /// any more leaves with the last of them.
    pub(super) fn settled(&mut self, number: Number, captures: u64, keep: bool) {
        if let Some(waiting) = self.waiting.get_mut(&number) {
            waiting.captures = waiting.captures.saturating_sub(captures);
            waiting.keep |= keep;
        }
        self.tidy();
    }

    /// Nothing more will be written: the last file leaves too, if it may.
    pub(super) fn finish(mut self) {
        self.current = None;
        self.tidy();
    }

    fn begin(&mut self) -> io::Result<Current> {
        self.tidy();
        let number = self.next;
        self.next += 1;
        self.waiting.insert(number, Waiting::default());
        let file = self.disk.create(&segment::name(number))?;
        Ok(Current { number, file, bytes: 0 })
    }

    fn tidy(&mut self) {
        let written = self.current.as_ref().map(|current| current.number);
        let over = |(number, waiting): (&Number, &Waiting)| {
            (waiting.captures == 0 && Some(*number) != written).then_some((*number, waiting.keep))
        };
        let over: Vec<(Number, bool)> = self.waiting.iter().filter_map(over).collect();
        for (number, keep) in over {
            self.waiting.remove(&number);
            self.leave(number, keep);
        }
    }

    /// A file that does not go is replayed at the next start, which changes nothing.
    fn leave(&self, number: Number, keep: bool) {
        let name = segment::name(number);
        let left = if keep { self.disk.rename(&name, &segment::kept(number)) } else { self.disk.remove(&name) };
        match left {
            Ok(()) if keep => tracing::error!(
                file = %self.path.join(segment::kept(number)).display(),
                "a file of the journal is kept for you to look at: not all of its captures could be charged"
            ),
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(segment = name, %error, "a file of the journal could not be removed"),
        }
    }
}

fn unusable(path: &Path, error: &io::Error) -> JournalError {
    JournalError::Unusable { path: path.to_owned(), reason: error.to_string() }
}
