//! What is kept of a request on disk: a line of JSON, and after it the answer's body as it was sent.

use std::str::FromStr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::key::Fingerprint;
use super::recording::Recorded;
use crate::layers::RequestId;

/// A request that was begun, and its answer once there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// The request's name, under which it is charged.
    pub(super) request: RequestId,
    pub(super) fingerprint: Fingerprint,
    /// None: it was begun and has not ended, or a crash ended it.
    pub(super) answer: Option<Recorded>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    request: String,
    fingerprint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Head>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

impl Record {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let head = |answer: &Recorded| {
            let text =
                |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
            Head { status: answer.status.as_u16(), headers: answer.headers.iter().filter_map(text).collect() }
        };
        let line = Line {
            request: self.request.to_string(),
            fingerprint: self.fingerprint.0.clone(),
            answer: self.answer.as_ref().map(head),
        };
        // Only maps with keys that are no strings cannot be written.
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        bytes.push(b'\n');
        for frame in self.answer.iter().flat_map(|answer| &answer.body) {
            bytes.extend_from_slice(frame);
        }
        bytes
    }

    /// None where these bytes are no record, as after a crash in the middle of a write.
    pub(super) fn of_bytes(mut bytes: Bytes) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let line: Line = serde_json::from_slice(&bytes.split_to(end + 1)).ok()?;
        let answer = line.answer.and_then(|head| {
            let mut headers = HeaderMap::new();
            for (name, value) in head.headers {
                headers.append(HeaderName::from_str(&name).ok()?, HeaderValue::from_str(&value).ok()?);
            }
            let body = if bytes.is_empty() { Vec::new() } else { vec![bytes] };
            Some(Recorded { status: StatusCode::from_u16(head.status).ok()?, headers, body })
        });
        Some(Self { request: line.request.parse().ok()?, fingerprint: Fingerprint(line.fingerprint), answer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back() {
        let request = RequestId::random();
        let fingerprint = Fingerprint("f".into());
        let begun = Record { request, fingerprint, answer: None };
        assert_eq!(Record::of_bytes(begun.to_bytes().into()), Some(begun.clone()));
        let headers =
            HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))]);
        let body = vec![Bytes::from_static(b"data: \n\nwith\nlines")];
        let ended = Record { answer: Some(Recorded { status: StatusCode::OK, headers, body }), ..begun };
        assert_eq!(Record::of_bytes(ended.to_bytes().into()), Some(ended));
    }

    #[test]
    fn half_a_record_is_none() {
        let record = Record { request: RequestId::random(), fingerprint: Fingerprint("f".into()), answer: None };
        let bytes = record.to_bytes();
        assert_eq!(Record::of_bytes(Bytes::from(bytes[..bytes.len() / 2].to_vec())), None);
    }
}
