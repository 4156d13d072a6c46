//! Records in a row: where each begins and ends, and whether it is whole.
//!
//! A frame is a mark of four bytes, the record's length, a checksum of both, the record, and a checksum of it. The mark
//! begins with a byte that no text has, so no name that a node chose looks like a frame; and the length has a checksum of its
//! own, so after damage the next frame is found wherever it begins. CRC-32 is enough: it guards against a disk, not against
//! somebody who can write to it.

use std::ops::Range;

/// No UTF-8 has its first byte.
const MARK: [u8; 4] = [0xF5, b'c', b'a', b'p'];
const HEAD: usize = 12;
const TAIL: usize = 4;

/// The longest record, in bytes. An answer of a thousand nodes' parts fits.
pub(super) const LONGEST: usize = 1 << 20;

/// What a segment's bytes turned out to hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Where the whole records are.
    pub(super) records: Vec<Range<usize>>,
    /// Damage that whole records follow.
    pub(super) damaged: Vec<Range<usize>>,
    /// Bytes after the last whole record: of a write that a crash cut off.
    pub(super) torn: usize,
}

/// Appends a frame whose record `write` appends. Answers `false`, and leaves `bytes` as they were, where it is too long.
pub(super) fn append(bytes: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> bool {
    let start = bytes.len();
    bytes.extend([0; HEAD]);
    write(bytes);
    let record = &bytes[start + HEAD..];
    let Ok(length) = u32::try_from(record.len()) else { return undo(bytes, start) };
    if record.len() > LONGEST {
        return undo(bytes, start);
    }
    let sum = crc32fast::hash(record);
    bytes.extend(sum.to_le_bytes());
    let head = &mut bytes[start..start + HEAD];
    head[..4].copy_from_slice(&MARK);
    head[4..8].copy_from_slice(&length.to_le_bytes());
    let sum = crc32fast::hash(&head[..8]);
    head[8..].copy_from_slice(&sum.to_le_bytes());
    true
}

fn undo(bytes: &mut Vec<u8>, start: usize) -> bool {
    bytes.truncate(start);
    false
}

/// Finds the frames in `bytes` from `start` on, whatever else is between them.
pub(super) fn scan(bytes: &[u8], start: usize) -> Scan {
    let mut found = Scan::default();
    let mut whole_until = start;
    let mut at = start;
    while let Some(mark) = next_mark(bytes, at) {
        let Some(record) = record_at(bytes, mark) else {
            at = mark + 1;
            continue;
        };
        if mark > whole_until {
            found.damaged.push(whole_until..mark);
        }
        at = record.end + TAIL;
        whole_until = at;
        found.records.push(record);
    }
    found.torn = bytes.len().saturating_sub(whole_until);
    found
}

fn next_mark(bytes: &[u8], from: usize) -> Option<usize> {
    let place = bytes.get(from..)?.windows(MARK.len()).position(|window| window == MARK)?;
    Some(from + place)
}

/// The record of the frame that begins at `mark`, if all of it is there and as it was written.
fn record_at(bytes: &[u8], mark: usize) -> Option<Range<usize>> {
    let start = mark + HEAD;
    let head = bytes.get(mark..start)?;
    if number(head.get(8..)?)? != crc32fast::hash(&head[..8]) {
        return None;
    }
    let length = usize::try_from(number(head.get(4..8)?)?).ok().filter(|length| *length <= LONGEST)?;
    let end = start + length;
    let sum = number(bytes.get(end..end + TAIL)?)?;
    (sum == crc32fast::hash(&bytes[start..end])).then_some(start..end)
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(records: &[Vec<u8>]) -> (Vec<u8>, Vec<Range<usize>>) {
        let (mut bytes, mut frames) = (b"head".to_vec(), Vec::new());
        for record in records {
            let start = bytes.len();
            assert!(append(&mut bytes, |bytes| bytes.extend(record)));
            frames.push(start..bytes.len());
        }
        (bytes, frames)
    }

    fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, Scan) {
        let found = scan(bytes, 4);
        (found.records.iter().map(|at| bytes[at.clone()].to_vec()).collect(), found)
    }

    /// Also records that look like frames themselves.
    fn records() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let byte = prop_oneof![any::<u8>(), proptest::sample::select(MARK.to_vec())];
        proptest::collection::vec(proptest::collection::vec(byte, 0..40), 1..6)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(records in records()) {
            let (bytes, _) = framed(&records);
            let (read, found) = read(&bytes);
            prop_assert_eq!(read, records);
            prop_assert_eq!((found.damaged.len(), found.torn), (0, 0));
        }

        #[test]
        fn a_torn_end_is_cut_off(records in records(), lost in 1_usize..200) {
            let (mut bytes, frames) = framed(&records);
            bytes.truncate(bytes.len().saturating_sub(lost).max(4));
            let whole = frames.iter().filter(|frame| frame.end <= bytes.len()).count();
            let end = if whole == 0 { 4 } else { frames[whole - 1].end };
            let (read, found) = read(&bytes);
            prop_assert_eq!(&read[..], &records[..whole]);
            prop_assert_eq!((found.damaged.len(), found.torn), (0, bytes.len() - end));
        }

        #[test]
        fn a_flipped_bit_costs_the_record_it_hit(records in records(), place in any::<proptest::sample::Index>(), bit in 0..8) {
            let (mut bytes, frames) = framed(&records);
            let at = 4 + place.index(bytes.len() - 4);
            bytes[at] ^= 1_u8 << bit;
            let hit = frames.iter().position(|frame| frame.contains(&at)).unwrap();
            let mut others = records.clone();
            others.remove(hit);
            let (read, found) = read(&bytes);
            prop_assert_eq!(read, others);
            let last = hit + 1 == records.len();
            prop_assert_eq!(found.damaged, if last { vec![] } else { vec![frames[hit].clone()] });
            prop_assert_eq!(found.torn, if last { frames[hit].len() } else { 0 });
        }
    }

    #[test]
    fn too_long_a_record_is_left_out() {
        let mut bytes = b"head".to_vec();
        assert!(!append(&mut bytes, |bytes| bytes.extend(vec![0; LONGEST + 1])));
        assert_eq!(bytes, b"head");
        assert!(append(&mut bytes, |bytes| bytes.extend(vec![0; LONGEST])));
        assert_eq!(read(&bytes).0, [vec![0; LONGEST]]);
    }
}
