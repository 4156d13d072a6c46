//! Addresses as people write them.

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

/// A text that is no multiaddr.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no multiaddr ({cause}); one looks like /ip4/203.0.113.7/tcp/4100 or /ip4/203.0.113.7/udp/4100/quic-v1"
)]
pub struct AddressError {
    /// What was written.
    pub text: String,
    /// What is wrong with it.
    pub cause: String,
}

/// Reads a multiaddr.
///
/// # Errors
/// `AddressError` naming the text, what is wrong, and what one looks like.
pub fn parse_multiaddr(text: &str) -> Result<Multiaddr, AddressError> {
    let parsed: Multiaddr =
        text.trim().parse().map_err(|cause| AddressError { text: text.to_owned(), cause: format!("{cause}") })?;
    if parsed.iter().next().is_none() {
        return Err(AddressError { text: text.to_owned(), cause: "it is empty".to_owned() });
    }
    Ok(parsed)
}

/// The peer that an address names by its last `/p2p/…`. None where it names none.
pub(crate) fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    address.iter().filter_map(|part| if let Protocol::P2p(peer) = part { Some(peer) } else { None }).last()
}

/// The address with `/p2p/<peer>` at its end, once.
pub(crate) fn with_peer(address: Multiaddr, peer: PeerId) -> Multiaddr {
    if peer_of(&address) == Some(peer) { address } else { address.with(Protocol::P2p(peer)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_address_is_named() {
        let error = parse_multiaddr("127.0.0.1:4100").unwrap_err();
        assert!(error.to_string().contains("`127.0.0.1:4100`"), "{error}");
        assert!(parse_multiaddr("").unwrap_err().to_string().contains("empty"));
        assert!(parse_multiaddr(" /ip4/127.0.0.1/tcp/1 ").is_ok());
    }

    #[test]
    fn the_peer_is_appended_once() {
        let peer = PeerId::random();
        let bare: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        assert_eq!(peer_of(&bare), None);
        let full = with_peer(bare.clone(), peer);
        assert_eq!(full.to_string(), format!("/ip4/127.0.0.1/tcp/1/p2p/{peer}"));
        assert_eq!(with_peer(full.clone(), peer), full);
    }
}
