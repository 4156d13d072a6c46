//! How peers meet and talk.
//!
//! Nodes dial gateways; a gateway opens streams back over the same connection, so an operator needs no public address
//! and no open port. Three layers, each usable without the one above:
//!
//! - `network` and `streams`: one libp2p swarm and, over it, raw streams that a peer really serves;
//! - `control` and `directory`: what nodes offer, and the gateway's live view of it;
//! - `http`: HTTP/1.1 over streams, pooled on the gateway, served on the node.
//!
//! [`GatewayPeer`] and [`NodePeer`] are the two ends, made of these parts. Nothing here knows money beyond the numbers
//! of an [`Ask`], and nothing knows what is inside a request.

mod address;
mod admission;
mod backoff;
mod bootstrap_peer;
mod clock;
mod control;
mod directory;
mod gateway_peer;
mod http;
mod identity;
mod links;
mod network;
mod node_peer;
mod offer;
mod roster;
mod streams;
#[cfg(test)]
mod tests;
mod wire;

pub use address::{AddressError, parse_multiaddr};
pub use admission::{Admission, Admissions, NotAdmitted, OpenToAll};
pub use bootstrap_peer::{BootstrapPeer, BootstrapPeerConfig};
pub use control::ControlTimings;
pub use directory::{
    Candidate, Candidates, CandidatesIter, Circuit, Directory, DirectoryFull, Health, Listing, Node, NodeStats,
    PeerTag, Registration, Row, Rows, Snapshot, Visit,
};
pub use gateway_peer::{GatewayPeer, GatewayPeerConfig};
pub use http::{BoxError, Client, ClientConfig, ClientStats, ResponseBody, SendError, ServerConfig};
pub use identity::{Identity, IdentityError};
pub use libp2p::{Multiaddr, PeerId};
pub use network::StartError;
pub use node_peer::{GatewayStatus, NodePeer, NodePeerConfig, NodeStatus, Refusal};
pub use offer::{Ask, Load, ModelOffer, Offer, OfferError};
pub use streams::{OpenError, StreamLimits};
