//! One file of the journal: its name, its head, and what was read from it.

use std::ops::Range;

use super::error::JournalError;
use super::frame;
use super::record;
use crate::ledger::Capture;

/// The format of what follows the head. A later Peerway that writes another keeps the reader of this one.
pub(super) const VERSION: u32 = 1;

const NAME: &str = "peerway captures";
const HEAD: usize = NAME.len() + 8;

/// What a new file begins with: whose it is, in which format, and a checksum of that.
pub(super) fn head() -> Vec<u8> {
    let mut head = NAME.as_bytes().to_vec();
    head.extend(VERSION.to_le_bytes());
    let sum = crc32fast::hash(&head);
    head.extend(sum.to_le_bytes());
    head
}

/// Ordered as text as they are in time.
pub(super) fn name(number: u64) -> String {
    format!("{number:020}.captures")
}

/// The number of a segment that waits to be replayed; `None` for any other file.
pub(super) fn number(name: &str) -> Option<u64> {
    name.strip_suffix(".captures")?.parse().ok()
}

/// Under which name a segment is kept for people to look at. It is not replayed again.
pub(super) fn kept(number: u64) -> String {
    format!("{number:020}.kept")
}

/// The number of a segment that is kept for people.
pub(super) fn kept_number(name: &str) -> Option<u64> {
    name.strip_suffix(".kept")?.parse().ok()
}

/// What a segment held.
#[derive(Debug, Default)]
pub(in crate::till) struct Recovered {
    /// The captures, in the order in which they were made.
    pub(in crate::till) captures: Vec<Capture>,
    /// Records that were there and cannot be read any more.
    pub(in crate::till) refused: usize,
    /// Bytes at the end, of a write that a crash cut off: never durable, so nobody was told that they were.
    pub(in crate::till) torn: usize,
}

/// Reads all that can be read. Damage costs the records that it hit and no others.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Recovered, JournalError> {
    let start = match version(bytes) {
        Some(VERSION) => HEAD,
        Some(found) => return Err(JournalError::Newer { file: name.to_owned(), found, known: VERSION }),
        None => 0,
    };
    let found = frame::scan(bytes, start);
    let mut recovered = Recovered { torn: found.torn, ..Recovered::default() };
    let mut refuse = |at: &Range<usize>, reason: &str| {
        recovered.refused += 1;
        tracing::error!(
            segment = name,
            from = at.start,
            to = at.end,
            reason,
            "part of the journal of captures is refused"
        );
    };
    found.damaged.iter().for_each(|at| refuse(at, "its checksum is wrong"));
    for at in &found.records {
        match record::read(&bytes[at.clone()]) {
            Ok(capture) => recovered.captures.push(capture),
            Err(error) => refuse(at, &error.to_string()),
        }
    }
    if recovered.torn > 0 {
        tracing::warn!(
            segment = name,
            bytes = recovered.torn,
            "the journal of captures ends in a torn write, which is cut off"
        );
    }
    Ok(recovered)
}

/// The format that a whole head names; `None` where the head is cut off or damaged.
fn version(bytes: &[u8]) -> Option<u32> {
    let (named, sum) = bytes.get(..HEAD)?.split_at(HEAD - 4);
    let version = named.strip_prefix(NAME.as_bytes())?;
    let whole = sum == crc32fast::hash(named).to_le_bytes();
    if whole { version.try_into().ok().map(u32::from_le_bytes) } else { None }
}
