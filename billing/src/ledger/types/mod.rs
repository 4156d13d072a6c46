//! What goes into the ledger and what comes out of it.

mod account;
mod charge;
mod hold;

pub use account::{Account, AccountKind, Balance, Credit, Credited, Head};
pub use charge::{Capture, Captured, Charge, ChargeTerms, Outcome, Receipt};
pub use hold::{Amount, Extend, Granted, Hold, HoldState, NewHold};

/// An enum that is stored as a word.
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $name {
            /// The word under which it is stored.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub(crate) fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
use words;
