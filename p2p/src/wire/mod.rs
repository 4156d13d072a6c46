//! What is said on the control stream and between gateways: the messages, their frames, and the signature of an advert.
//!
//! Protocol buffers, because every language has them and fields can be added without a new protocol name; written by
//! hand with prost's derive, because a schema file would need a compiler at build time. The field numbers are the
//! protocol: never reuse one.

mod advert;
mod frame;
mod link;

pub(crate) use advert::{Advert, read_advert, sign_advert};
pub(crate) use frame::{FrameError, FrameReader, write_frame};
pub(crate) use link::{FromListener, FromTeller, LoadOf, LoadsBody, NodeBody, PeerBody};

use crate::offer::Load;

/// The bytes of a frame's content at most.
pub(crate) const MAX_FRAME: usize = 64 << 10;

/// An advert and who vouches for it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct SignedAdvert {
    /// An encoded [`AdvertBody`]. Kept as bytes: what was signed is what is read.
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) payload: bytes::Bytes,
    /// The signer's public key in libp2p's encoding.
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) public_key: bytes::Bytes,
    /// Over the domain and the payload.
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) signature: bytes::Bytes,
}

impl SignedAdvert {
    /// A copy that does not hold on to the buffer that this one was read into.
    pub(crate) fn detached(&self) -> Self {
        let copy = |bytes: &bytes::Bytes| bytes::Bytes::copy_from_slice(bytes);
        Self { payload: copy(&self.payload), public_key: copy(&self.public_key), signature: copy(&self.signature) }
    }
}

impl From<&LoadBody> for Load {
    fn from(body: &LoadBody) -> Self {
        Self {
            running: body.running,
            waiting: body.waiting,
            free_slots: body.free_slots,
            ttft_ms: body.ttft_ms,
            tokens_per_second_milli: body.tokens_per_second_milli,
        }
    }
}

/// The content of an advert.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct AdvertBody {
    #[prost(uint64, tag = "1")]
    pub(crate) seq: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) issued_at_ms: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) expires_at_ms: u64,
    #[prost(string, optional, tag = "4")]
    pub(crate) operator: Option<String>,
    #[prost(string, tag = "5")]
    pub(crate) region: String,
    #[prost(uint32, tag = "6")]
    pub(crate) slots: u32,
    #[prost(message, repeated, tag = "7")]
    pub(crate) models: Vec<ModelBody>,
    #[prost(string, tag = "8")]
    pub(crate) engine: String,
}

/// One model of an advert.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct ModelBody {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(int64, tag = "2")]
    pub(crate) ask_input: i64,
    #[prost(int64, tag = "3")]
    pub(crate) ask_cached_input: i64,
    #[prost(int64, tag = "4")]
    pub(crate) ask_output: i64,
    #[prost(uint32, tag = "5")]
    pub(crate) context_length: u32,
    #[prost(string, tag = "6")]
    pub(crate) quantization: String,
    #[prost(string, tag = "7")]
    pub(crate) weights_hash: String,
    #[prost(string, repeated, tag = "8")]
    pub(crate) capabilities: Vec<String>,
}

/// A node's load.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct LoadBody {
    #[prost(uint32, tag = "1")]
    pub(crate) running: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) waiting: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) free_slots: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) ttft_ms: u32,
    #[prost(uint64, tag = "5")]
    pub(crate) tokens_per_second_milli: u64,
}

/// Nothing but that it was said.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Said {}

/// A number that is to be said back.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Nonce {
    #[prost(uint64, tag = "1")]
    pub(crate) nonce: u64,
}

/// What a node says.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct NodeFrame {
    #[prost(oneof = "FromNode", tags = "1, 2, 3, 4")]
    pub(crate) content: Option<FromNode>,
}

/// The kinds of [`NodeFrame`].
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub(crate) enum FromNode {
    /// What it offers.
    #[prost(message, tag = "1")]
    Advert(SignedAdvert),
    /// How busy it is.
    #[prost(message, tag = "2")]
    Load(LoadBody),
    /// It wants no further requests.
    #[prost(message, tag = "3")]
    Drain(Said),
    /// The answer to a probe.
    #[prost(message, tag = "4")]
    Probed(Nonce),
}

/// Other gateways that the node may dial.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct GatewaysBody {
    #[prost(string, repeated, tag = "1")]
    pub(crate) multiaddrs: Vec<String>,
}

/// Why something the node said was not taken.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct RefusedBody {
    #[prost(string, tag = "1")]
    pub(crate) reason: String,
    /// Which part of the advert. Empty: none.
    #[prost(string, tag = "2")]
    pub(crate) field: String,
}

/// What a gateway says.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct GatewayFrame {
    #[prost(oneof = "FromGateway", tags = "1, 2, 3, 4, 5")]
    pub(crate) content: Option<FromGateway>,
}

/// The kinds of [`GatewayFrame`].
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub(crate) enum FromGateway {
    /// Where other gateways are.
    #[prost(message, tag = "1")]
    Gateways(GatewaysBody),
    /// To be answered with the same number.
    #[prost(message, tag = "2")]
    Probe(Nonce),
    /// Something was not taken.
    #[prost(message, tag = "3")]
    Refused(RefusedBody),
    /// The advert with this sequence number is in the directory.
    #[prost(message, tag = "4")]
    Accepted(Nonce),
    /// The node is out of routing.
    #[prost(message, tag = "5")]
    Drained(Said),
}
