//! Networks as people write them: `10.0.0.0/8`, or a bare address for a network of one.
//!
//! They are kept in one spelling: host bits cut off, and IPv4 in IPv6 clothes (`::ffff:10.0.0.1`, as a socket
//! for both families shows its callers) undressed. Two spellings of one network are then equal, and compare
//! with addresses that were undressed likewise.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Bits in front of an IPv4 address that is written as an IPv6 one.
const MAPPED: u8 = 96;

/// The network, in its one spelling.
pub(super) fn canonical(network: IpNet) -> IpNet {
    if let IpNet::V6(six) = network
        && let Some(four) = six.addr().to_ipv4_mapped()
        && let Some(prefix) = six.prefix_len().checked_sub(MAPPED)
        && let Ok(four) = Ipv4Net::new(four, prefix)
    {
        return IpNet::V4(four.trunc());
    }
    network.trunc()
}

/// The network that a text is, in its one spelling. None: it is none.
#[must_use]
pub fn parse_network(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.ok().map(canonical)
}

/// Reads a list of networks, for serde.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<IpNet>>, D::Error> {
    let texts = Option::<Vec<String>>::deserialize(deserializer)?;
    let unreadable = |text: &str| {
        let shown: String = text.chars().take(64).flat_map(char::escape_debug).collect();
        D::Error::custom(format!("allowed_ips: `{shown}` is neither an address nor a network such as 10.0.0.0/8"))
    };
    texts
        .map(|texts| texts.iter().map(|text| parse_network(text).ok_or_else(|| unreadable(text))).collect())
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_has_one_spelling() {
        for (written, kept) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(parse_network(written).unwrap().to_string(), kept, "{written}");
        }
        for nonsense in ["", "10.0.0", "10.0.0.0/33", "example.com", "10.0.0.0/8 "] {
            assert_eq!(parse_network(nonsense), None, "{nonsense}");
        }
    }
}
