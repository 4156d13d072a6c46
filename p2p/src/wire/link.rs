//! What one gateway tells another of its nodes. Only the teller speaks; the listener shows that it is there.

use super::{GatewaysBody, LoadBody, Said, SignedAdvert};

/// A node that is connected to the teller.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct NodeBody {
    /// Its peer id, which the advert must be signed by.
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) peer: bytes::Bytes,
    /// As the node sent it.
    #[prost(message, required, tag = "2")]
    pub(crate) advert: SignedAdvert,
    /// None: it has said nothing of its load yet.
    #[prost(message, optional, tag = "3")]
    pub(crate) load: Option<LoadBody>,
    /// Whether it wants no further requests.
    #[prost(bool, tag = "4")]
    pub(crate) draining: bool,
}

/// Which node is meant.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct PeerBody {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) peer: bytes::Bytes,
}

/// The load of one node.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct LoadOf {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) peer: bytes::Bytes,
    #[prost(message, required, tag = "2")]
    pub(crate) load: LoadBody,
}

/// The loads of many nodes.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct LoadsBody {
    #[prost(message, repeated, tag = "1")]
    pub(crate) loads: Vec<LoadOf>,
}

/// What a teller says.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct TellerFrame {
    #[prost(oneof = "FromTeller", tags = "1, 2, 3, 4, 5, 6")]
    pub(crate) content: Option<FromTeller>,
}

/// The kinds of [`TellerFrame`].
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub(crate) enum FromTeller {
    /// Where nodes can dial the teller.
    #[prost(message, tag = "1")]
    Hello(GatewaysBody),
    /// A node came, or offers something else.
    #[prost(message, tag = "2")]
    Node(NodeBody),
    /// How busy nodes are.
    #[prost(message, tag = "3")]
    Loads(LoadsBody),
    /// A node wants no further requests.
    #[prost(message, tag = "4")]
    Drains(PeerBody),
    /// A node has left the teller.
    #[prost(message, tag = "5")]
    Left(PeerBody),
    /// Nothing but that the teller is there.
    #[prost(message, tag = "6")]
    Beat(Said),
}

/// What a listener says.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct ListenerFrame {
    #[prost(oneof = "FromListener", tags = "1")]
    pub(crate) content: Option<FromListener>,
}

/// The kinds of [`ListenerFrame`].
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub(crate) enum FromListener {
    /// Nothing but that the listener is there.
    #[prost(message, tag = "1")]
    Beat(Said),
}
