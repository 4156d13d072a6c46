//! Where one gateway may be reached.
//!
//! A gateway that moves is told of by others, so there is always room for one more address: what was heard of longest ago
//! makes it. What was configured stays. A wrong address costs one failed dial: whoever answers must prove its peer id.

use libp2p::Multiaddr;

/// Addresses of one gateway at most, unless more are configured.
const MAX_ADDRESSES: usize = 8;

/// Addresses in the order in which they were heard of.
#[derive(Debug, Default)]
pub(super) struct Addresses(Vec<Known>);

#[derive(Debug)]
struct Known {
    address: Multiaddr,
    is_configured: bool,
}

impl Addresses {
    pub(super) fn learn(&mut self, address: Multiaddr, is_configured: bool) {
        let earlier = self.0.iter().position(|known| known.address == address).map(|index| self.0.remove(index));
        let is_configured = is_configured || earlier.is_some_and(|known| known.is_configured);
        if self.0.len() >= MAX_ADDRESSES
            && let Some(oldest) = self.0.iter().position(|known| !known.is_configured)
        {
            self.0.remove(oldest);
        }
        if is_configured || self.0.len() < MAX_ADDRESSES {
            self.0.push(Known { address, is_configured });
        }
    }

    pub(super) fn forget(&mut self, address: &Multiaddr) {
        self.0.retain(|known| known.is_configured || known.address != *address);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, the newest first.
    pub(super) fn all(&self) -> Vec<Multiaddr> {
        self.0.iter().rev().map(|known| known.address.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Multiaddr {
        format!("/ip4/192.0.2.1/tcp/{port}").parse().unwrap()
    }

    #[test]
    fn a_new_address_makes_room_for_itself_and_what_is_configured_stays() {
        let mut addresses = Addresses::default();
        addresses.learn(at(1), true);
        (2..=50).for_each(|port| addresses.learn(at(port), false));
        assert_eq!(addresses.all(), [50, 49, 48, 47, 46, 45, 44, 1].map(at));
        addresses.learn(at(45), false);
        addresses.learn(at(51), false);
        assert_eq!(addresses.all(), [51, 45, 50, 49, 48, 47, 46, 1].map(at), "heard of again is not old");
        addresses.learn(at(1), false);
        addresses.forget(&at(1));
        addresses.forget(&at(51));
        assert_eq!(addresses.all(), [1, 45, 50, 49, 48, 47, 46].map(at));
    }

    #[test]
    fn as_many_are_configured_as_the_operator_likes() {
        let mut addresses = Addresses::default();
        (1..=16).for_each(|port| addresses.learn(at(port), true));
        addresses.learn(at(17), false);
        assert_eq!(addresses.all().len(), 16);
    }
}
