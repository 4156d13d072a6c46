//! Server-sent events: what a stream is made of.
//!
//! The decoder is for what nodes and upstream servers send, which is hostile until checked: events may be split at any
//! byte, end lines with CR, LF or both, and must not be able to grow without bound. Its rules are those of the
//! WHATWG HTML standard, section 9.2.6, less `event`, `id` and `retry`, which OpenAI's streams do not use.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

/// The event after which an OpenAI stream has ended as it should.
pub const DONE: &[u8] = b"[DONE]";

/// `[DONE]`, framed.
pub const DONE_FRAME: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

/// A comment, which keeps proxies from cutting a silent stream.
pub const KEEP_ALIVE_FRAME: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// Frames a value as one event.
///
/// # Errors
/// Where the value cannot be written as JSON.
pub fn frame(value: &impl Serialize) -> Result<Bytes, serde_json::Error> {
    let mut frame = BytesMut::with_capacity(512).writer();
    frame.get_mut().put_slice(b"data: ");
    serde_json::to_writer(&mut frame, value)?;
    frame.get_mut().put_slice(b"\n\n");
    Ok(frame.into_inner().freeze())
}

/// Frames a value as one event with a name, for APIs whose events have one.
///
/// # Errors
/// Where the value cannot be written as JSON.
pub fn named_frame(event: &str, value: &impl Serialize) -> Result<Bytes, serde_json::Error> {
    let mut frame = BytesMut::with_capacity(512).writer();
    for part in [b"event: ", event.as_bytes(), b"\ndata: "] {
        frame.get_mut().put_slice(part);
    }
    serde_json::to_writer(&mut frame, value)?;
    frame.get_mut().put_slice(b"\n\n");
    Ok(frame.into_inner().freeze())
}

/// An event that outgrew the decoder's bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than {max_event} bytes")]
pub struct EventTooLarge {
    /// The bound.
    pub max_event: usize,
}

/// Splits a byte stream into the data of its events.
#[derive(Debug)]
pub struct Decoder {
    max_event: usize,
    /// Bytes of lines that are not yet whole.
    pending: BytesMut,
    /// Bytes of `pending` already searched for a line's end.
    searched: usize,
    /// Data lines of the event so far.
    data: BytesMut,
    has_data: bool,
    /// The last line ended with CR, so that an LF right after it belongs to it.
    after_cr: bool,
}

impl Decoder {
    /// A decoder that refuses events of more than `max_event` bytes.
    #[must_use]
    pub fn new(max_event: usize) -> Self {
        Self {
            max_event,
            pending: BytesMut::new(),
            searched: 0,
            data: BytesMut::new(),
            has_data: false,
            after_cr: false,
        }
    }

    /// Takes in more bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The data of the next whole event, None until more bytes come.
    ///
    /// # Errors
    /// `EventTooLarge`; the stream is of no more use then.
    pub fn next_event(&mut self) -> Result<Option<Bytes>, EventTooLarge> {
        while let Some(line) = self.next_line() {
            if line.is_empty() {
                if std::mem::take(&mut self.has_data) {
                    return Ok(Some(self.data.split().freeze()));
                }
                continue;
            }
            if let Some(data) = data_of(&line) {
                if self.has_data {
                    self.data.put_u8(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(data);
            }
            self.check_size(0)?;
        }
        self.check_size(self.pending.len())?;
        Ok(None)
    }

    fn check_size(&self, unfinished: usize) -> Result<(), EventTooLarge> {
        if self.data.len() + unfinished > self.max_event {
            return Err(EventTooLarge { max_event: self.max_event });
        }
        Ok(())
    }

    fn next_line(&mut self) -> Option<BytesMut> {
        if self.after_cr && !self.pending.is_empty() {
            self.after_cr = false;
            if self.pending[0] == b'\n' {
                let _ = self.pending.split_to(1);
            }
        }
        let unseen = &self.pending[self.searched..];
        let Some(place) = unseen.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            self.searched = self.pending.len();
            return None;
        };
        let end = self.searched + place;
        self.searched = 0;
        self.after_cr = self.pending[end] == b'\r';
        let mut line = self.pending.split_to(end + 1);
        line.truncate(end);
        Some(line)
    }
}

/// The value of a `data` line, less the one space that may stand before it. None for comments and other fields.
fn data_of(line: &[u8]) -> Option<&[u8]> {
    let value = line.strip_prefix(b"data")?;
    match value.first() {
        None => Some(value),
        Some(b':') => Some(value[1..].strip_prefix(b" ").unwrap_or(&value[1..])),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(pieces: &[&[u8]]) -> Vec<String> {
        let mut decoder = Decoder::new(1 << 16);
        let mut events = Vec::new();
        for piece in pieces {
            decoder.push(piece);
            while let Some(event) = decoder.next_event().unwrap() {
                events.push(String::from_utf8(event.to_vec()).unwrap());
            }
        }
        events
    }

    #[test]
    fn lines_may_end_three_ways() {
        let stream = b"data: a\n\ndata:b\r\n\r\ndata: c\r\r: comment\nevent: x\ndata: d\ndata: e\n\n";
        assert_eq!(decode(&[stream]), ["a", "b", "c", "d\ne"]);
    }

    #[test]
    fn an_event_without_its_blank_line_is_not_whole() {
        assert_eq!(decode(&[b"data: a\n"]), Vec::<String>::new());
    }

    #[test]
    fn a_line_that_never_ends_is_refused() {
        let mut decoder = Decoder::new(100);
        decoder.push(&[b'x'; 101]);
        assert_eq!(decoder.next_event(), Err(EventTooLarge { max_event: 100 }));
    }

    #[test]
    fn an_event_that_never_ends_is_refused() {
        let mut decoder = Decoder::new(100);
        let refused = (0..200).any(|_| {
            decoder.push(b"data: x\n");
            decoder.next_event().is_err()
        });
        assert!(refused);
    }

    #[test]
    fn a_frame_reads_back() {
        let frame = frame(&serde_json::json!({"a": "line\nbreak"})).unwrap();
        assert_eq!(decode(&[&frame]), [r#"{"a":"line\nbreak"}"#]);
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_split_changes_nothing(
            stream in "(data: ?[a-c\u{e4}]{0,5}|:x|\r\n|\r|\n){0,20}",
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes = stream.as_bytes();
            let (head, tail) = bytes.split_at(cut.index(bytes.len() + 1));
            prop_assert_eq!(decode(&[head, tail]), decode(&[bytes]));
        }
    }
}
