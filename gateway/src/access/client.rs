//! Where a request comes from.
//!
//! `x-forwarded-for` is whatever its sender writes, so it counts only as far as trusted proxies have vouched for it: from
//! the connection's own address backwards, hop by hop, up to the first that is not one of them. The first entry, which
//! most code reads, is the one that anybody can forge.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of a connection; the server puts it into every request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// The caller's address. None where it cannot be known: there is no connection, or a trusted proxy wrote nonsense.
pub(super) fn client_ip(peer: Option<PeerAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut client = peer?.0.ip().to_canonical();
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let values = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut hops = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    while is_trusted(client) {
        let Some(hop) = hops.next() else { break };
        client = address(hop)?;
    }
    Some(client)
}

/// `203.0.113.7`, `203.0.113.7:4711`, `2001:db8::7`, `[2001:db8::7]:4711`: proxies write all of them.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse::<IpAddr>().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))?;
    Some(parsed.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let peer = PeerAddr(SocketAddr::new(peer.parse().unwrap(), 1));
        client_ip(Some(peer), &headers, &trusted).map(|ip| ip.to_string())
    }

    #[test]
    fn only_what_trusted_proxies_vouch_for_counts() {
        for (peer, forwarded, expected) in [
            // Nobody vouches: what a stranger writes is not read.
            ("203.0.113.7", &["192.0.2.1"][..], Some("203.0.113.7")),
            ("10.0.0.1", &[], Some("10.0.0.1")),
            ("10.0.0.1", &["192.0.2.1"], Some("192.0.2.1")),
            // The proxy appended the last entry; what stands before it, the caller wrote.
            ("10.0.0.1", &["10.9.9.9, 192.0.2.1"], Some("192.0.2.1")),
            ("10.0.0.1", &["192.0.2.9, 192.0.2.1, 10.0.0.2"], Some("192.0.2.1")),
            ("10.0.0.1", &["192.0.2.9", "192.0.2.1", "10.0.0.2"], Some("192.0.2.1")),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], Some("10.0.0.3")),
            ("::ffff:10.0.0.1", &["::ffff:192.0.2.1"], Some("192.0.2.1")),
            ("2001:db8::1", &["[2001:db9::7]:4711"], Some("2001:db9::7")),
            ("10.0.0.1", &["192.0.2.1:4711"], Some("192.0.2.1")),
            ("10.0.0.1", &["192.0.2.1, unknown"], None),
            ("10.0.0.1", &["192.0.2.1,"], None),
        ] {
            assert_eq!(client(peer, forwarded).as_deref(), expected, "{peer} {forwarded:?}");
        }
        assert_eq!(client_ip(None, &HeaderMap::new(), &[]), None);
    }
}
