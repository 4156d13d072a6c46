//! The stream of a node's answer. It is hostile until checked.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use peerway_openapi::chat::ChatChunk;
use peerway_openapi::error::ErrorEnvelope;
use peerway_openapi::sse::{DONE, Decoder};
use peerway_p2p::{Candidate, ResponseBody, Visit};
use tokio::time::Instant;

use super::Form;
use super::attempts::Failed;
use super::form::Most;
use super::pace::Pace;
use super::patience::Pauses;

/// Bytes of one event. A chunk with twenty alternatives of one token is far smaller.
const MAX_EVENT: usize = 256 << 10;
/// Bytes of an event on the whole: one token's, with twenty alternatives.
const MEAN_EVENT: u64 = 8 << 10;
/// Characters of a node's own words that are passed on.
const MAX_QUOTED: usize = 300;

/// What a node did wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeFault {
    /// It sent nothing for too long.
    #[error("the node fell silent")]
    Silent,
    /// The connection broke.
    #[error("the connection to the node broke")]
    Disconnected,
    /// Its answer ended without saying that it is over.
    #[error("the node stopped in mid-answer")]
    EndedEarly,
    /// It sent what is no answer.
    #[error("the node sent something that is no answer ({0})")]
    Garbage(&'static str),
    /// It answers as another model than the one that was asked for.
    #[error("the node answered as another model (`{0}`)")]
    OtherModel(String),
    /// It says itself that it failed.
    #[error("the node reported: {0}")]
    Reported(String),
}

/// A node's answer as it arrives.
#[derive(Debug)]
pub struct NodeAnswer {
    candidate: Candidate,
    /// None once it is over.
    body: Option<ResponseBody>,
    decoder: Decoder,
    /// The first piece, awaited before the caller was answered.
    first: Option<ChatChunk>,
    form: Form,
    /// Since when the next piece is awaited. None: it is not.
    awaited: Option<Instant>,
    pauses: Pauses,
    pace: Pace,
    /// Pieces that may still come: an answer that never ends is cut.
    pieces_left: u64,
    /// Bytes that may still come.
    bytes_left: u64,
    done: bool,
    /// None once it is over, as `body` is.
    in_flight: Option<InFlight>,
}

/// Counts a request at its node until it is over.
#[derive(Debug)]
pub(super) struct InFlight {
    _visit: Visit,
}

impl InFlight {
    /// Fails where the node rests after a failure, or is being tried after one: it may have begun to since it was picked.
    pub(super) fn at(candidate: &Candidate) -> Result<Self, Failed> {
        let why = "it rests after a failure, or another request is trying it";
        let visit = candidate.visit().ok_or_else(|| Failed::Node { busy: true, why: why.to_owned() })?;
        Ok(Self { _visit: visit })
    }
}

impl NodeAnswer {
    /// Reads an answer's body, which is so many answers of so many tokens at most; each comes in a piece of its own at
    /// most.
    pub(super) fn new(
        candidate: Candidate,
        body: ResponseBody,
        form: Form,
        Most { tokens, answers }: Most,
        in_flight: InFlight,
    ) -> Self {
        let pieces = tokens.saturating_mul(2).saturating_add(64).saturating_mul(answers);
        Self {
            candidate,
            body: Some(body),
            decoder: Decoder::new(MAX_EVENT),
            first: None,
            form,
            awaited: None,
            pauses: Pauses::default(),
            pace: Pace::default(),
            pieces_left: pieces,
            bytes_left: pieces.saturating_mul(MEAN_EVENT),
            done: false,
            in_flight: Some(in_flight),
        }
    }

    /// Waits for the first piece and keeps it.
    pub(super) async fn await_first(&mut self, wait: Duration) -> Result<(), NodeFault> {
        match self.read_chunk(wait).await {
            Some(Ok(chunk)) => {
                self.first = Some(chunk);
                Ok(())
            }
            Some(Err(fault)) => Err(fault),
            None => Err(NodeFault::EndedEarly),
        }
    }

    /// The next piece. None after `[DONE]`, or where the body ended without it. The node may take as long as its answer so
    /// far allows, and never longer than `most`; who stops waiting in between does not give it more time.
    pub async fn next_chunk(&mut self, most: Duration) -> Option<Result<ChatChunk, NodeFault>> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        let since = *self.awaited.get_or_insert_with(Instant::now);
        let chunk = self.read_chunk(self.pauses.patience(most)).await;
        self.pauses.add(since.elapsed());
        chunk
    }

    async fn read_chunk(&mut self, wait: Duration) -> Option<Result<ChatChunk, NodeFault>> {
        if self.done {
            return None;
        }
        let asked = Instant::now();
        let deadline = *self.awaited.get_or_insert(asked) + wait;
        let next = tokio::time::timeout_at(deadline, self.next_event()).await.unwrap_or(Err(NodeFault::Silent));
        self.awaited = None;
        self.pace.waited(asked, Instant::now());
        let chunk = next.and_then(|event| event.map(|event| self.read_event(&event)).transpose());
        self.done = !matches!(chunk, Ok(Some(_)));
        chunk.transpose()
    }

    /// The node that answers.
    #[must_use]
    pub fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// Lets go of the node at once: it stops, and its place is free.
    pub fn leave(&mut self) {
        self.done = true;
        self.body = None;
        self.in_flight = None;
    }

    /// An event as a chunk of this answer: one of another model is none.
    fn read_event(&self, event: &[u8]) -> Result<ChatChunk, NodeFault> {
        let chunk = read_event(self.form, event)?;
        if *chunk.model == *self.candidate.offer().id {
            Ok(chunk)
        } else {
            Err(NodeFault::OtherModel(quoted(&chunk.model)))
        }
    }

    /// Remembers that this node failed, so that it is left alone for a while.
    pub fn blame(&self) {
        self.candidate.health().failed();
    }

    /// Remembers that this node gave a whole answer of so many tokens, and how fast.
    pub fn praise(&self, tokens: u64) {
        self.candidate.health().served();
        if let Some(speed) = self.pace.tokens_per_second_milli(tokens) {
            self.candidate.health().measured_speed(speed);
        }
    }

    async fn next_event(&mut self) -> Result<Option<Bytes>, NodeFault> {
        loop {
            if let Some(event) = self.decoder.next_event().map_err(|_| NodeFault::Garbage("an event without end"))? {
                if event == DONE {
                    // All that matters has come: the stream can take the next request.
                    if let Some(body) = self.body.take() {
                        body.recycle();
                    }
                    return Ok(None);
                }
                self.pieces_left = self.pieces_left.checked_sub(1).ok_or(NodeFault::Garbage("it does not end"))?;
                return Ok(Some(event));
            }
            let Some(body) = &mut self.body else { return Ok(None) };
            match body.frame().await {
                None => return Ok(None),
                Some(Err(_)) => return Err(NodeFault::Disconnected),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        let left = self.bytes_left.checked_sub(data.len() as u64);
                        self.bytes_left = left.ok_or(NodeFault::Garbage("it is too long for its tokens"))?;
                        self.decoder.push(data);
                    }
                }
            }
        }
    }
}

fn read_event(form: Form, event: &[u8]) -> Result<ChatChunk, NodeFault> {
    form.read(event).map_err(|_| match serde_json::from_slice::<ErrorEnvelope>(event) {
        Ok(envelope) => NodeFault::Reported(quoted(&envelope.error.message)),
        Err(_) => NodeFault::Garbage("an event that is no chunk"),
    })
}

/// A node's own words, cut to a bound and freed of control characters: they go to callers and logs.
pub(super) fn quoted(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(MAX_QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_chunks_or_errors_or_garbage() {
        let chunk = br#"{"id":"i","object":"x","created":1,"model":"m","choices":[]}"#;
        assert!(read_event(Form::Chat, chunk).is_ok());
        let text =
            br#"{"id":"i","object":"text_completion","created":1,"model":"m","choices":[{"index":1,"text":"a"}]}"#;
        let read = read_event(Form::Completion, text).unwrap();
        assert_eq!((read.choices[0].index, read.choices[0].delta.content.as_deref()), (1, Some("a")));
        let error = br#"{"error":{"message":"out of\nmemory","type":"server_error","param":null,"code":null}}"#;
        assert_eq!(read_event(Form::Chat, error), Err(NodeFault::Reported("out ofmemory".into())));
        assert!(matches!(read_event(Form::Chat, b"hello"), Err(NodeFault::Garbage(_))));
    }
}
