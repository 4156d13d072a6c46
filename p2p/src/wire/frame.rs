//! Frames: four bytes of length, then that many bytes of one message.
//!
//! The length is checked before anything is allocated, and a message must say something: empty content, an unknown kind
//! and bytes that are no protocol buffer are all malformed. A reader owns its buffer, so that waiting for a frame can be
//! given up and taken up again without losing what has arrived.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::link::{FromListener, FromTeller, ListenerFrame, TellerFrame};
use super::{FromGateway, FromNode, GatewayFrame, MAX_FRAME, NodeFrame};

const HEADER: usize = 4;

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The stream failed.
    #[error("the stream broke: {0}")]
    Io(#[from] io::Error),
    /// The stream ended within a frame.
    #[error("the stream ended within a frame")]
    Truncated,
    /// A frame is announced that is larger than any may be.
    #[error("a frame of {0} bytes; at most {MAX_FRAME} are taken")]
    Oversized(usize),
    /// The content is no message of this protocol.
    #[error("a frame that is no message")]
    Malformed,
}

impl FrameError {
    /// Whether the peer broke the protocol, rather than the line.
    pub(crate) fn is_violation(&self) -> bool {
        matches!(self, Self::Oversized(_) | Self::Malformed)
    }
}

/// A message that frames can hold.
pub(crate) trait Content: Sized {
    /// Reads a frame's content.
    fn decode(bytes: Bytes) -> Option<Self>;
    /// Writes a frame's content.
    fn encode(self) -> Vec<u8>;
}

impl Content for FromNode {
    fn decode(bytes: Bytes) -> Option<Self> {
        NodeFrame::decode(bytes).ok()?.content
    }

    fn encode(self) -> Vec<u8> {
        NodeFrame { content: Some(self) }.encode_to_vec()
    }
}

impl Content for FromGateway {
    fn decode(bytes: Bytes) -> Option<Self> {
        GatewayFrame::decode(bytes).ok()?.content
    }

    fn encode(self) -> Vec<u8> {
        GatewayFrame { content: Some(self) }.encode_to_vec()
    }
}

impl Content for FromTeller {
    fn decode(bytes: Bytes) -> Option<Self> {
        TellerFrame::decode(bytes).ok()?.content
    }

    fn encode(self) -> Vec<u8> {
        TellerFrame { content: Some(self) }.encode_to_vec()
    }
}

impl Content for FromListener {
    fn decode(bytes: Bytes) -> Option<Self> {
        ListenerFrame::decode(bytes).ok()?.content
    }

    fn encode(self) -> Vec<u8> {
        ListenerFrame { content: Some(self) }.encode_to_vec()
    }
}

/// Takes one whole frame off the buffer. None: more bytes are needed.
fn take_frame<C: Content>(buffer: &mut BytesMut) -> Result<Option<C>, FrameError> {
    let Some(header) = buffer.first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(FrameError::Oversized(length));
    }
    if buffer.len() < HEADER + length {
        return Ok(None);
    }
    buffer.advance(HEADER);
    C::decode(buffer.split_to(length).freeze()).map(Some).ok_or(FrameError::Malformed)
}

/// Reads frames off a stream.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    stream: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// The next frame. None where the stream has ended between two frames. Can be dropped and called again.
    pub(crate) async fn next<C: Content>(&mut self) -> Result<Option<C>, FrameError> {
        loop {
            if let Some(content) = take_frame(&mut self.buffer)? {
                return Ok(Some(content));
            }
            let room = HEADER + MAX_FRAME - self.buffer.len();
            if self.stream.read_buf(&mut (&mut self.buffer).limit(room)).await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(FrameError::Truncated) };
            }
        }
    }
}

/// Writes one frame and flushes it.
pub(crate) async fn write_frame<W, C>(stream: &mut W, content: C) -> Result<(), FrameError>
where
    W: AsyncWrite + Unpin,
    C: Content,
{
    let content = content.encode();
    if content.len() > MAX_FRAME {
        return Err(FrameError::Oversized(content.len()));
    }
    let mut frame = BytesMut::with_capacity(HEADER + content.len());
    frame.put_u32(u32::try_from(content.len()).map_err(|_| FrameError::Oversized(content.len()))?);
    frame.put_slice(&content);
    stream.write_all(&frame).await?;
    Ok(stream.flush().await?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{LoadBody, Nonce, RefusedBody, Said, SignedAdvert};
    use super::*;

    fn framed(content: &[u8]) -> BytesMut {
        let mut buffer = BytesMut::new();
        buffer.put_u32(u32::try_from(content.len()).unwrap());
        buffer.put_slice(content);
        buffer
    }

    #[test]
    fn the_bytes_of_a_load_frame_are_the_protocol() {
        let load = LoadBody { running: 1, waiting: 2, free_slots: 3, ttft_ms: 4, tokens_per_second_milli: 300 };
        // Written by hand: field 2 of the frame, then the five varints of the load.
        let expected = [0x12, 11, 0x08, 1, 0x10, 2, 0x18, 3, 0x20, 4, 0x28, 0xac, 0x02];
        assert_eq!(FromNode::Load(load).encode(), expected);
        let mut buffer = framed(&expected);
        assert_eq!(take_frame::<FromNode>(&mut buffer).unwrap(), Some(FromNode::Load(load)));
        assert!(buffer.is_empty());
    }

    #[test]
    fn what_says_nothing_is_malformed() {
        let unknown_kind = [0x7a, 0];
        let cut_short = [0x12, 11, 0x08];
        for content in [&[][..], &unknown_kind, &cut_short, b"GET / HTTP/1.1"] {
            let outcome = take_frame::<FromNode>(&mut framed(content));
            assert!(matches!(outcome, Err(FrameError::Malformed)), "{content:?}: {outcome:?}");
        }
    }

    #[test]
    fn an_oversized_frame_is_refused_by_its_length_alone() {
        let mut buffer = BytesMut::from(&65_537_u32.to_be_bytes()[..]);
        assert!(matches!(take_frame::<FromNode>(&mut buffer), Err(FrameError::Oversized(65_537))));
        let mut largest = BytesMut::from(&65_536_u32.to_be_bytes()[..]);
        assert!(matches!(take_frame::<FromNode>(&mut largest), Ok(None)));
    }

    #[tokio::test]
    async fn frames_cross_a_stream_in_pieces() {
        let (mut near, far) = tokio::io::duplex(7);
        let mut reader = FrameReader::new(far);
        let refused = FromGateway::Refused(RefusedBody { reason: "why ".repeat(50), field: "f".into() });
        let sent = [refused, FromGateway::Probe(Nonce { nonce: 7 }), FromGateway::Drained(Said {})];
        let writer = async {
            for frame in sent.clone() {
                write_frame(&mut near, frame).await.unwrap();
            }
            drop(near);
        };
        let received = async {
            let mut received = Vec::new();
            while let Some(frame) = reader.next::<FromGateway>().await.unwrap() {
                received.push(frame);
            }
            received
        };
        let ((), received) = tokio::join!(writer, received);
        assert_eq!(received, sent);
    }

    #[tokio::test]
    async fn an_end_within_a_frame_is_told_apart() {
        let (mut near, far) = tokio::io::duplex(64);
        near.write_all(&[0, 0, 0, 9, 1]).await.unwrap();
        drop(near);
        assert!(matches!(FrameReader::new(far).next::<FromNode>().await, Err(FrameError::Truncated)));
    }

    #[tokio::test]
    async fn what_is_too_large_is_not_sent() {
        let advert = SignedAdvert { payload: vec![0; MAX_FRAME].into(), ..SignedAdvert::default() };
        let mut sink = Vec::new();
        assert!(matches!(write_frame(&mut sink, FromNode::Advert(advert)).await, Err(FrameError::Oversized(_))));
        assert!(sink.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            let mut frames = 0;
            while let Ok(Some(_)) = take_frame::<FromNode>(&mut buffer) {
                frames += 1;
            }
            prop_assert!(frames * HEADER <= bytes.len());
        }

        #[test]
        fn any_content_is_taken_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = take_frame::<FromGateway>(&mut framed(&bytes));
            let _ = take_frame::<FromNode>(&mut framed(&bytes));
            let _ = take_frame::<FromTeller>(&mut framed(&bytes));
            let _ = take_frame::<FromListener>(&mut framed(&bytes));
        }

        #[test]
        fn a_written_load_is_read_back(load in any::<[u32; 4]>(), speed in any::<u64>()) {
            let [running, waiting, free_slots, ttft_ms] = load;
            let load = FromNode::Load(LoadBody { running, waiting, free_slots, ttft_ms, tokens_per_second_milli: speed });
            let mut buffer = framed(&load.clone().encode());
            prop_assert_eq!(take_frame::<FromNode>(&mut buffer).unwrap(), Some(load));
        }
    }
}
