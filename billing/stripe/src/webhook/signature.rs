//! Whether Stripe sent it: `Stripe-Signature: t=<seconds>,v1=<hex>,…`, an HMAC over the bytes as they came.
//!
//! See "Verify webhook signatures manually" in Stripe's documentation.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// How far the sender's clock may be from ours, in seconds, to either side. An older one may be somebody's copy.
pub const TOLERANCE_SECONDS: u64 = 300;

/// The most signatures of one event that are looked at. Stripe sends one for each secret that is valid.
const MOST_SIGNATURES: usize = 16;

/// The longest header that is looked at.
const MOST_HEADER: usize = 4096;

/// The secrets that sign events: two while one replaces the other.
#[derive(Clone)]
pub struct Secrets(Vec<String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// Why an event is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no header, or it has not the form `t=…,v1=…`.
    #[error("the header Stripe-Signature is missing or has not the form t=<seconds>,v1=<hex>")]
    Malformed,
    /// None of its signatures is by one of our secrets.
    #[error("no signature in Stripe-Signature is by a secret of this gateway: check STRIPE_WEBHOOK_SECRETS")]
    Forged,
    /// It was signed too long ago, or in the future.
    #[error("the event was signed more than {TOLERANCE_SECONDS} seconds from now by this gateway's clock")]
    Stale,
}

impl Secrets {
    /// `None` where there is no secret, or an empty one: with that anybody could sign.
    #[must_use]
    pub fn new(secrets: Vec<String>) -> Option<Self> {
        let usable = !secrets.is_empty() && secrets.iter().all(|secret| !secret.is_empty());
        usable.then_some(Self(secrets))
    }

    /// Whether `body` is what Stripe signed, at about `now` (seconds since 1970).
    ///
    /// The clock is looked at last, so that only who knows a secret learns of it.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, header: &str, body: &[u8], now: i64) -> Result<(), SignatureError> {
        let (stamp, signatures) = parse(header).ok_or(SignatureError::Malformed)?;
        if !self.0.iter().any(|secret| signatures.iter().any(|signature| signs(secret, stamp, body, signature))) {
            return Err(SignatureError::Forged);
        }
        let signed_at: i64 = stamp.parse().map_err(|_| SignatureError::Malformed)?;
        if now.abs_diff(signed_at) > TOLERANCE_SECONDS { Err(SignatureError::Stale) } else { Ok(()) }
    }
}

/// The time as it was written, since that is what was signed, and all signatures of the scheme `v1`.
fn parse(header: &str) -> Option<(&str, Vec<Vec<u8>>)> {
    if header.len() > MOST_HEADER {
        return None;
    }
    let mut stamp = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=')? {
            ("t", value) => stamp = Some(value),
            ("v1", value) if signatures.len() < MOST_SIGNATURES => signatures.extend(hex::decode(value).ok()),
            _ => {}
        }
    }
    (!signatures.is_empty()).then_some((stamp?, signatures))
}

/// Compares in a time that does not depend on how much of it is right.
fn signs(secret: &str, stamp: &str, body: &[u8], signature: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(stamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.verify_slice(signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // openssl: printf '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_one
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;
    const BY_ONE: &str = "401fbbceeb3818dc562ff77127ba1c62e47e24c9c6cde4d7a6eba85e32dbd058";
    const BY_TWO: &str = "4fb9aa7e8a9678e685ef5c7eafa19ac1eb7c0564196cbe246ca08c2fd799eaf3";
    const AT: i64 = 1_700_000_000;

    fn secrets(of: &[&str]) -> Secrets {
        Secrets::new(of.iter().map(|&secret| secret.to_owned()).collect()).expect("there is one")
    }

    #[test]
    fn what_openssl_signs_is_believed() {
        let header = format!("t={AT},v1={BY_ONE}");
        assert_eq!(secrets(&["whsec_one"]).check(&header, BODY, AT), Ok(()));
        assert_eq!(secrets(&["whsec_two"]).check(&header, BODY, AT), Err(SignatureError::Forged));
        assert_eq!(secrets(&["whsec_one"]).check(&header, br#"{"id":"evt_2"}"#, AT), Err(SignatureError::Forged));
    }

    #[test]
    fn any_signature_by_any_secret_will_do() {
        let header = format!("t={AT}, v1={BY_TWO},v0={BY_ONE},v1={BY_ONE}");
        assert_eq!(secrets(&["whsec_one"]).check(&header, BODY, AT), Ok(()));
        assert_eq!(secrets(&["whsec_new", "whsec_two"]).check(&header, BODY, AT), Ok(()));
        // Another scheme is no proof, whatever it says.
        let old = format!("t={AT},v0={BY_ONE}");
        assert_eq!(secrets(&["whsec_one"]).check(&old, BODY, AT), Err(SignatureError::Malformed));
    }

    #[test]
    fn five_minutes_to_either_side() {
        let header = format!("t={AT},v1={BY_ONE}");
        let check = |now| secrets(&["whsec_one"]).check(&header, BODY, now);
        assert_eq!((check(AT + 300), check(AT - 300)), (Ok(()), Ok(())));
        assert_eq!((check(AT + 301), check(AT - 301)), (Err(SignatureError::Stale), Err(SignatureError::Stale)));
        // A time that was not signed does not make an old event new.
        let renewed = format!("t={},v1={BY_ONE}", AT + 301);
        assert_eq!(secrets(&["whsec_one"]).check(&renewed, BODY, AT + 301), Err(SignatureError::Forged));
    }

    #[test]
    fn nonsense_is_refused_without_work() {
        for header in ["", "t=1", "v1=", "t=,v1=zz", "hello", &format!("t=1,{}", "v1=00,".repeat(2000))] {
            assert_eq!(secrets(&["whsec_one"]).check(header, BODY, AT), Err(SignatureError::Malformed), "{header:.40}");
        }
        assert!(Secrets::new(vec![]).is_none() && Secrets::new(vec![String::new()]).is_none());
    }
}
