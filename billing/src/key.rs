//! API keys: made from 256 random bits, shown once, kept as a hash.
//!
//! A slow password hash was rejected: it protects guessable secrets, and these cannot be guessed, while every
//! request would pay for it.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::access::KeyPolicy;
use crate::clock::Timestamp;
use crate::id::{AccountId, KeyId};
use crate::words::words;

/// What every secret starts with, so that leaked keys can be found by scanners.
const PREFIX: &str = "sk-pw-";
/// Characters of 32 random bytes in base 62.
const BODY: usize = 43;
/// Characters of a secret that may be shown to tell keys apart.
const SHOWN: usize = PREFIX.len() + 4;

/// A secret as its holder presents it. `Debug` shows nothing of it; there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySecret(String);

impl KeySecret {
    pub(crate) fn random() -> Self {
        Self(format!("{PREFIX}{}", base62(rand::random())))
    }

    /// The secret itself, to be shown once to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn shown_prefix(&self) -> String {
        self.0.chars().take(SHOWN).collect()
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(…)")
    }
}

/// SHA-256 of a secret: all that the ledger knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of whatever a caller presents, well-formed or not.
    #[must_use]
    pub fn of(presented: &str) -> Self {
        Self(Sha256::digest(presented.as_bytes()).into())
    }

    pub(crate) fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

/// Whether a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It does.
    Active,
    /// Its policy's expiry is past.
    Expired,
    /// It was revoked, whatever its policy says.
    Revoked,
}
words!(KeyState { Active = "active", Expired = "expired", Revoked = "revoked" });

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Names the key without giving it away.
    pub id: KeyId,
    /// Whose credit it spends.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: String,
    /// The first characters of the secret.
    pub prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it may do, and until when.
    pub policy: KeyPolicy,
    /// The key that a rotation put in its place; `None` while it was not rotated.
    pub replaced_by: Option<KeyId>,
    /// The first key of its chain of rotations: its own id for a key that replaced none. What the keys of a chain
    /// spend counts together.
    pub root: KeyId,
    /// When it was revoked; `None` while it was not.
    pub revoked_at: Option<Timestamp>,
}

impl KeyRecord {
    /// Whether the key works at this moment. It stops with the first moment of its expiry.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> KeyState {
        if self.revoked_at.is_some() {
            KeyState::Revoked
        } else if self.policy.expires_at.is_some_and(|expires_at| expires_at <= now) {
            KeyState::Expired
        } else {
            KeyState::Active
        }
    }
}

/// A key to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTerms {
    /// Whose credit it spends.
    pub account: AccountId,
    /// What its owner calls it; at most 200 bytes, no control characters.
    pub name: String,
    /// What it may do. Its expiry must lie in the future.
    pub policy: KeyPolicy,
}

/// What to change of a key; `None` leaves a part as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyChange {
    /// The new name.
    pub name: Option<String>,
    /// The new policy, as a whole. Its expiry must lie in the future, or be the present one; that of a key that was
    /// replaced may only come nearer.
    pub policy: Option<KeyPolicy>,
}

/// A key just made. The secret is nowhere else.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What the ledger keeps.
    pub record: KeyRecord,
    /// What the owner keeps.
    pub secret: KeySecret,
}

/// 256 bits in base 62, always 43 characters.
fn base62(mut number: [u8; 32]) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = [b'0'; BODY];
    for place in text.iter_mut().rev() {
        let mut rest = 0_u16;
        for byte in &mut number {
            let value = (rest << 8) | u16::from(*byte);
            *byte = u8::try_from(value / 62).expect("rest < 62, so value / 62 < 256");
            rest = value % 62;
        }
        *place = DIGITS[usize::from(rest)];
    }
    text.iter().map(|&byte| char::from(byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base62_is_the_number() {
        let mut sixty_three = [0; 32];
        sixty_three[31] = 63;
        assert_eq!(base62(sixty_three), format!("{}11", "0".repeat(41)));
        // 2^256 - 1 in base 62, computed elsewhere.
        assert_eq!(base62([0xff; 32]), "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
    }

    #[test]
    fn a_secret_is_not_debugged() {
        let secret = KeySecret::random();
        assert_eq!(secret.expose().len(), 49);
        assert!(!format!("{secret:?}").contains(&secret.expose()[6..]));
    }
}
