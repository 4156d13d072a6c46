//! The events of a node's answer. They are hostile until checked: each is bounded, and so are all together.

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use peerway_openapi::chat::ChatChunk;
use peerway_openapi::error::ErrorEnvelope;
use peerway_openapi::sse::{DONE, Decoder};

use super::fault::{NodeFault, quoted};
use super::form::{Form, Most};

/// Bytes of one event. A chunk with twenty alternatives of one token is far smaller.
const MAX_EVENT: usize = 256 << 10;
/// Bytes of an event on the whole: one token's, with twenty alternatives.
const MEAN_EVENT: u64 = 8 << 10;
/// Pieces that an answer may have beyond two a token: its role, its end, its usage, signs of life.
const MORE_PIECES: u64 = 64;

/// A body read as chunks of an answer.
#[derive(Debug)]
pub(super) struct Events<B> {
    body: B,
    decoder: Decoder,
    form: Form,
    /// Pieces that may still come: an answer that never ends is cut.
    pieces_left: u64,
    /// Bytes that may still come.
    bytes_left: u64,
}

impl<B: Body<Data = Bytes> + Unpin> Events<B> {
    /// Of so many answers of so many tokens at most; each comes in a piece of its own at most.
    pub(super) fn new(body: B, form: Form, Most { tokens, answers }: Most) -> Self {
        let pieces_left = tokens.saturating_mul(2).saturating_add(MORE_PIECES).saturating_mul(answers);
        let bytes_left = pieces_left.saturating_mul(MEAN_EVENT);
        Self { body, decoder: Decoder::new(MAX_EVENT), form, pieces_left, bytes_left }
    }

    /// The next chunk, which must be of this model. None after `[DONE]`, or where the body ended without it. What has come
    /// is kept where the future is dropped.
    pub(super) async fn next(&mut self, model: &str) -> Result<Option<ChatChunk>, NodeFault> {
        loop {
            if let Some(event) = self.decoder.next_event().map_err(|_| NodeFault::Garbage("an event without end"))? {
                if event == DONE {
                    return Ok(None);
                }
                self.pieces_left = self.pieces_left.checked_sub(1).ok_or(NodeFault::Garbage("it does not end"))?;
                return read(self.form, model, &event).map(Some);
            }
            match self.body.frame().await {
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

    /// The body, with what was not read of it.
    pub(super) fn into_body(self) -> B {
        self.body
    }
}

fn read(form: Form, model: &str, event: &[u8]) -> Result<ChatChunk, NodeFault> {
    let chunk = form.read(event).map_err(|_| match serde_json::from_slice::<ErrorEnvelope>(event) {
        Ok(envelope) => NodeFault::Reported(quoted(&envelope.error.message)),
        Err(_) => NodeFault::Garbage("an event that is no chunk"),
    })?;
    if chunk.model == model { Ok(chunk) } else { Err(NodeFault::OtherModel(quoted(&chunk.model))) }
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures::{FutureExt, StreamExt, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    const MOST: Most = Most { tokens: 10, answers: 1 };
    /// Two a token, and some.
    const PIECES: usize = 84;

    fn chunk(text: &str) -> String {
        let delta = format!(r#"{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}"#);
        format!(r#"{{"id":"i","object":"chat.completion.chunk","created":1,"model":"m","choices":[{delta}]}}"#)
    }

    fn event(text: &str) -> String {
        format!("data: {}\n\n", chunk(text))
    }

    /// What is read of a body that comes in these frames and then ends or, where it is `cut`, breaks: the words, and how it
    /// ended.
    fn read_cut(frames: impl IntoIterator<Item: Into<Bytes>>, cut: bool) -> (Vec<String>, Option<NodeFault>) {
        let frames: Vec<Bytes> = frames.into_iter().map(Into::into).collect();
        let frames = stream::iter(frames).map(|frame| Ok(Frame::data(frame)));
        let end = stream::iter(cut.then(|| Err(io::Error::other("cut"))));
        let mut events = Events::new(StreamBody::new(frames.chain(end)), Form::Chat, MOST);
        let mut words = Vec::new();
        loop {
            match events.next("m").now_or_never().expect("all has come") {
                Ok(None) => return (words, None),
                Err(fault) => return (words, Some(fault)),
                Ok(Some(chunk)) => words.extend(chunk.choices.into_iter().filter_map(|choice| choice.delta.content)),
            }
        }
    }

    fn read_all(frames: impl IntoIterator<Item: Into<Bytes>>) -> (Vec<String>, Option<NodeFault>) {
        read_cut(frames, false)
    }

    #[test]
    fn events_come_in_any_frames() {
        let told = format!("{}: a comment\r\n\r\n{}data: [DONE]\n\n{}", event("ä 1"), event("b 2"), event("late"));
        let words = vec!["ä 1".to_owned(), "b 2".to_owned()];
        for size in [1, 2, 7, 60, told.len()] {
            let frames = told.as_bytes().chunks(size).map(Bytes::copy_from_slice);
            assert_eq!(read_all(frames), (words.clone(), None), "{size}");
        }
        let halves = told.split_inclusive("delta").map(|half| half.to_owned());
        assert_eq!(read_all(halves), (words, None));
    }

    #[test]
    fn a_body_that_breaks_is_told_from_one_that_ends() {
        assert_eq!(read_all([event("a")]), (vec!["a".to_owned()], None));
        assert_eq!(read_cut([event("a")], true), (vec!["a".to_owned()], Some(NodeFault::Disconnected)));
        let half = &event("b")[..40];
        assert_eq!(read_all([event("a"), half.to_owned()]), (vec!["a".to_owned()], None), "half an event is none");
    }

    #[test]
    fn what_is_no_text_is_no_chunk() {
        let told = event("a?b").into_bytes().into_iter().map(|byte| if byte == b'?' { 0xFF } else { byte });
        let told: Vec<u8> = told.collect();
        assert_eq!(read_all([told]), (Vec::new(), Some(NodeFault::Garbage("an event that is no chunk"))));
    }

    #[test]
    fn an_answer_has_an_end() {
        let (words, fault) = read_all((0..PIECES + 5).map(|_| event("a")));
        assert_eq!((words.len(), fault), (PIECES, Some(NodeFault::Garbage("it does not end"))));
        let (words, fault) = read_all((0..PIECES).map(|_| event("a")));
        assert_eq!((words.len(), fault), (PIECES, None));
    }

    #[test]
    fn an_answer_has_no_more_bytes_than_its_tokens_can_be() {
        // Comments are no pieces, and no event grows by them.
        let comment = format!(": {}\n", "x".repeat(64 << 10));
        let too_long = PIECES * usize::try_from(MEAN_EVENT).unwrap() / comment.len() + 1;
        let (words, fault) = read_all((0..too_long).map(|_| comment.clone()));
        assert_eq!((words.len(), fault), (0, Some(NodeFault::Garbage("it is too long for its tokens"))));
        assert_eq!(read_all((0..too_long - 1).map(|_| comment.clone())), (Vec::new(), None));
    }

    #[test]
    fn an_event_has_an_end() {
        let endless = || (0..5).map(|_| "x".repeat(MAX_EVENT / 4));
        let fault = Some(NodeFault::Garbage("an event without end"));
        assert_eq!(read_all(["data: ".to_owned()].into_iter().chain(endless())), (Vec::new(), fault.clone()));
        let lines = endless().map(|line| format!("data: {line}\n"));
        assert_eq!(read_all(lines), (Vec::new(), fault));
    }

    #[test]
    fn an_answer_of_another_model_is_none() {
        let other = event("a").replace(r#""model":"m""#, "\"model\":\"m\u{202e}\\n2\"");
        let (words, fault) = read_all([other]);
        assert_eq!((words.len(), fault), (0, Some(NodeFault::OtherModel("m\u{202e}2".to_owned()))));
        let long = event("a").replace(r#""model":"m""#, &format!(r#""model":"{}""#, "m".repeat(5000)));
        assert_eq!(read_all([long]).1, Some(NodeFault::OtherModel("m".repeat(300))));
    }

    #[test]
    fn events_are_chunks_or_errors_or_garbage() {
        let chunk = br#"{"id":"i","object":"x","created":1,"model":"m","choices":[]}"#;
        assert!(read(Form::Chat, "m", chunk).is_ok());
        let text =
            br#"{"id":"i","object":"text_completion","created":1,"model":"m","choices":[{"index":1,"text":"a"}]}"#;
        let told = read(Form::Completion, "m", text).unwrap();
        assert_eq!((told.choices[0].index, told.choices[0].delta.content.as_deref()), (1, Some("a")));
        let error = br#"{"error":{"message":"out of\nmemory","type":"server_error","param":null,"code":null}}"#;
        assert_eq!(read(Form::Chat, "m", error), Err(NodeFault::Reported("out ofmemory".into())));
        assert!(matches!(read(Form::Chat, "m", b"hello"), Err(NodeFault::Garbage(_))));
    }
}
