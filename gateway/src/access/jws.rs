//! A signed token, taken apart before anything of it is believed.
//!
//! Only what decides *how* it is verified is read here: the algorithm, the name of the key, the issuer. Keys that a token
//! brings along or points to (`jwk`, `jku`, `x5c`, `x5u`) are never used: a token that names its own judge is always
//! innocent. Extensions that must be understood (`crit`) are refused, because none is.

use jsonwebtoken::{Algorithm, Header, dangerous::insecure_decode_claims, decode_header};
use peerway_openapi::ApiError;
use serde::Deserialize;

use super::credential::refused;

/// What a token says of itself.
#[derive(Debug)]
pub(super) struct Unverified<'a> {
    pub(super) token: &'a str,
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    pub(super) issuer: String,
}

#[derive(Deserialize)]
struct Issuer {
    iss: String,
}

/// Reads a token's header and issuer.
pub(super) fn peek(token: &str) -> Result<Unverified<'_>, ApiError> {
    // `none` and algorithms that nobody knows do not get past this.
    let header: Header = decode_header(token).map_err(|_| {
        refused("The token cannot be read. Send one that is signed with RS256, ES256 or EdDSA, or a key `sk-pw-…`.")
    })?;
    if header.crit.is_some() {
        return Err(refused("The token has critical extensions (`crit`), and this gateway knows none."));
    }
    let Issuer { iss } = insecure_decode_claims(token)
        .map_err(|_| refused("The token's claims cannot be read, or have no issuer (`iss`)."))?;
    Ok(Unverified { token, algorithm: header.alg, key_id: header.kid, issuer: iss })
}
