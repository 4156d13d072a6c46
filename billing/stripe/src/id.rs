//! Names of Stripe's objects. They come from outside and become a part of a URL, so they are checked before they are names.

use std::fmt;
use std::str::FromStr;

/// The most bytes of a name. Stripe says that names will not be longer.
const MOST: usize = 255;

/// What is no name of an object of Stripe's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no name of a Stripe object: 1 to 255 letters, digits and underscores are expected")]
pub struct NoName;

fn check(name: &str) -> Result<(), NoName> {
    let fits = !name.is_empty() && name.len() <= MOST;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if fits && plain { Ok(()) } else { Err(NoName) }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// As Stripe writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NoName;

            fn from_str(name: &str) -> Result<Self, NoName> {
                check(name).map(|()| Self(name.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

names! {
    /// Who pays: `cus_…`.
    CustomerId;
    /// A payment, whatever page or call it began with: `pi_…`, a PaymentIntent.
    PaymentId;
    /// A payment page: `cs_…`.
    SessionId;
    /// One try to take a payment's money: `ch_…`.
    ChargeId;
    /// Money on its way back: `re_…`.
    RefundId;
    /// A payer's bank that takes money back: `dp_…` or `du_…`.
    DisputeId;
    /// A card network's word that a payment may be fraud: `issfr_…`.
    WarningId;
    /// A card that was saved: `pm_…`.
    CardId;
    /// Something that happened at Stripe: `evt_…`.
    EventId;
    /// An operator's own account at Stripe, to which is paid out: `acct_…`.
    ConnectedId;
    /// Money on its way to such an account: `tr_…`.
    TransferId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_lead_to_another_url_is_no_name() {
        assert_eq!("pi_3Abc_9".parse::<PaymentId>().map(|id| id.to_string()), Ok("pi_3Abc_9".to_owned()));
        for wrong in ["", "pi_1/../../v1/refunds", "pi_1?expand=x", "pi 1", "pi_ü", &"a".repeat(256)] {
            assert_eq!(wrong.parse::<PaymentId>(), Err(NoName), "{wrong}");
        }
    }
}
