//! The signature of what is told: that of Stripe's webhooks, which many libraries can check.
//!
//! `t=SECONDS,v1=HEX`, where the hex is HMAC-SHA256 of `SECONDS.BODY` under the hook's secret. The time is signed, so that
//! an old message cannot be played again later.

use hmac::{Hmac, Mac};
use peerway_billing::Timestamp;
use sha2::Sha256;

pub(super) fn header(secret: &str, now: Timestamp, body: &str) -> String {
    let time = now.as_secs();
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(format!("{time}.").as_bytes());
    mac.update(body.as_bytes());
    format!("t={time},v1={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with Python: `hmac.new(b"whsec_test", b'1492774577.{"a":1}', "sha256").hexdigest()`.
    #[test]
    fn it_is_what_others_compute() {
        let told = header("whsec_test", Timestamp::from_millis(1_492_774_577_999), r#"{"a":1}"#);
        assert_eq!(told, "t=1492774577,v1=2a55874e33dedb30da6fac02873208f53a243141599a71c0d52a1d5b89656823");
    }
}
