//! Names of things in the ledger, one type each, so that a key is never passed where an account is meant.
//!
//! Every id is 1 to 200 printable ASCII characters without spaces. That is checked where a text becomes an id:
//! a newline or a NUL in an id would make log lines lie and JSON columns differ from what was meant.

use serde::{Deserialize, Serialize};

/// The longest id, in bytes.
const LONGEST: usize = 200;

/// A text that is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}: 1 to {LONGEST} printable ASCII characters without spaces")]
pub struct IdError {
    what: &'static str,
    text: String,
}

fn checked(what: &'static str, text: String) -> Result<String, IdError> {
    let fits = !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        Ok(text)
    } else {
        Err(IdError { what, text: text.chars().take(40).flat_map(char::escape_debug).collect() })
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text, if it can be such an id. Whether it exists is for the ledger to say.
            ///
            /// # Errors
            /// Empty, too long, or with other than printable ASCII.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                checked($what, text.into()).map(Self)
            }

            /// As [`Self::new`], for a text that this crate made or stored itself.
            #[allow(dead_code)] // not every kind of id is read back
            pub(crate) fn stored(text: String) -> Self {
                Self(text)
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

id! {
    /// An account: `acct_…` (customer), `operator:…` or `platform:…`.
    AccountId, "account id"
}
id! {
    /// An API key's id, `key_…`. Not the secret.
    KeyId, "key id"
}
id! {
    /// A token minted under a key, `tok_…`. Not the secret.
    TokenId, "token id"
}
id! {
    /// A person, by the opaque name that proves who they are: `https://idp.example.com|user-17`.
    SubjectId, "subject"
}
id! {
    /// A hold: credit set aside.
    HoldId, "hold id"
}
id! {
    /// One request of a caller. A request is charged at most once, and its id names the receipt.
    RequestId, "request id"
}
id! {
    /// Who took a hold: one gateway's stable name. Its leftovers are found by it after a crash.
    OwnerId, "hold owner"
}
id! {
    /// The operator of a node: a name, or the peer id of a node without one.
    OperatorId, "operator id"
}
id! {
    /// What a payment *is*, so that it is credited once: a grant's name, a PaymentIntent, a chain event.
    Reference, "reference"
}

impl AccountId {
    /// The account of an operator, which need not exist yet.
    #[must_use]
    pub fn of_operator(operator: &OperatorId) -> Self {
        Self(format!("operator:{operator}"))
    }

    pub(crate) fn random() -> Self {
        Self(random_id("acct_"))
    }
}

impl KeyId {
    pub(crate) fn random() -> Self {
        Self(random_id("key_"))
    }
}

impl HoldId {
    /// A new id that nobody else has.
    #[must_use]
    pub fn random() -> Self {
        Self(random_id("hold_"))
    }
}

fn random_id(prefix: &str) -> String {
    format!("{prefix}{}", uuid::Uuid::now_v7().simple())
}
