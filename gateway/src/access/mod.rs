//! Who is calling, and what they may do.
//!
//! The problem: three kinds of proof say who is calling (a key of this gateway, a token of an outside identity provider,
//! a short-lived token minted under a key), and everything behind must not care which. So all of them end as one
//! [`Principal`], made in one place, [`Authenticator`], and whatever asks "may they?" asks the principal. One module a
//! proof with checks of its own in each endpoint was rejected: the check that is forgotten is the one that matters.
//!
//! | file | idea |
//! | --- | --- |
//! | `authenticator` | the one place where a proof becomes a principal |
//! | `principal` | who it is and what they may do |
//! | `credential` | what a request presents, and that it is one thing |
//! | `client` | from which address |
//! | `keys` | keys, looked up and believed for half a second |
//! | `minted`, `secret` | our own tokens, and the secret that signs them |
//! | `provider`, `provider_config` | an outside identity provider, and what is set for it |
//! | `jws`, `jwks`, `key_cache`, `fetch` | a token taken apart; signing keys, kept and fetched |
//! | `subjects` | from a provider's claims to an account and scopes |

mod authenticator;
mod claims;
mod client;
mod credential;
mod fetch;
mod jwks;
mod jws;
mod key_cache;
mod keys;
mod minted;
mod principal;
mod provider;
mod provider_config;
mod secret;
mod subjects;
#[cfg(test)]
pub(crate) mod testing;

pub use authenticator::{AccessSettings, Authenticator};
pub use client::PeerAddr;
pub use minted::{MintTerms, Minted};
pub use principal::{Principal, RateKey};
pub use provider_config::{IdentityProviderConfig, SigningAlgorithm};
pub(crate) use secret::secret_bytes;
pub use secret::{SecretError, TokenSecret};
