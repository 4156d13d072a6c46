//! What a request presents to say who is calling.
//!
//! Exactly one credential, in a header. Where two differ, which of them counts would be a guess, and the guess of a proxy
//! in front may be another. One in the address is refused even where it is good: addresses are written into logs and
//! histories all along the way, so it must be replaced, and its holder learns that only from a refusal.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use peerway_openapi::{ApiError, ErrorKind};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// What every key's secret begins with.
const KEY_PREFIX: &str = "sk-pw-";
/// Bytes of a token; larger ones are not even parsed.
const MAX_TOKEN: usize = 8 << 10;

/// The proof that a request carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential<'a> {
    /// The secret of a key.
    Key(&'a str),
    /// A signed token, ours or an identity provider's.
    Token(&'a str),
}

impl std::fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key(…)",
            Self::Token(_) => "Token(…)",
        })
    }
}

/// The one credential of a request.
pub(super) fn presented<'a>(headers: &'a HeaderMap, uri: &Uri) -> Result<Credential<'a>, ApiError> {
    if uri.query().is_some_and(carries_a_secret) {
        return Err(refused(
            "A key or token must not be in the address: it is now in the logs of whatever lies on the way. Replace it, \
             and send the new one in the header `Authorization: Bearer sk-pw-…`.",
        ));
    }
    let bearer = single(headers, &AUTHORIZATION, "Authorization")?.map(bearer).transpose()?;
    let api_key = single(headers, &API_KEY, "x-api-key")?.map(|value| text(value, "x-api-key")).transpose()?;
    match (bearer, api_key) {
        (None, None) => Err(refused("No key. Send the header `Authorization: Bearer sk-pw-…`.")),
        (Some(bearer), Some(api_key)) if bearer != api_key => {
            Err(refused("Authorization and x-api-key differ. Send one of them."))
        }
        (Some(presented), _) | (None, Some(presented)) => read(presented),
    }
}

fn read(presented: &str) -> Result<Credential<'_>, ApiError> {
    if presented.len() > MAX_TOKEN {
        return Err(refused("The token has more than 8192 bytes. Ask its issuer for a smaller one."));
    }
    if presented.starts_with(KEY_PREFIX) {
        return Ok(Credential::Key(presented));
    }
    match presented.bytes().filter(|byte| *byte == b'.').count() {
        2 => Ok(Credential::Token(presented)),
        _ => Err(refused("Not a key of this gateway. Send the header `Authorization: Bearer sk-pw-…`.")),
    }
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName, shown: &str) -> Result<Option<&'a HeaderValue>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    match values.next() {
        Some(_) => Err(refused(&format!("More than one {shown} header. Send one."))),
        None => Ok(value),
    }
}

fn text<'a>(value: &'a HeaderValue, shown: &str) -> Result<&'a str, ApiError> {
    value.to_str().map(str::trim).map_err(|_| refused(&format!("The {shown} header is not ASCII.")))
}

fn bearer(value: &HeaderValue) -> Result<&str, ApiError> {
    let text = text(value, "Authorization")?;
    match text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
        Some((_, presented)) => Ok(presented.trim()),
        None => Err(refused("Not a bearer key. Send the header `Authorization: Bearer sk-pw-…`.")),
    }
}

/// Whether a key, written plainly or with escapes, or RFC 6750's `access_token` is in the query.
fn carries_a_secret(query: &str) -> bool {
    let decoded = unescaped(query.as_bytes());
    let holds_key = decoded.windows(KEY_PREFIX.len()).any(|part| part == KEY_PREFIX.as_bytes());
    holds_key || decoded.split(|byte| *byte == b'&').any(|pair| pair.starts_with(b"access_token="))
}

/// Percent-escapes undone, once; what is no escape stays.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        match (first, digit(tail.first()), digit(tail.get(1))) {
            (b'%', Some(high), Some(low)) => {
                plain.push(u8::try_from(high * 16 + low).unwrap_or(first));
                rest = &tail[2..];
            }
            _ => {
                plain.push(first);
                rest = tail;
            }
        }
    }
    plain
}

pub(super) fn refused(message: &str) -> ApiError {
    ApiError::new(ErrorKind::InvalidKey, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &str)], uri: &str) -> Result<String, ApiError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        presented(&map, &uri.parse().unwrap()).map(|credential| match credential {
            Credential::Key(key) => format!("key {key}"),
            Credential::Token(token) => format!("token {token}"),
        })
    }

    #[test]
    fn one_credential_is_taken_from_either_header() {
        for (headers, expected) in [
            (&[("authorization", "Bearer sk-pw-a")][..], "key sk-pw-a"),
            (&[("authorization", "bearer  sk-pw-a ")], "key sk-pw-a"),
            (&[("x-api-key", "sk-pw-a")], "key sk-pw-a"),
            (&[("x-api-key", "sk-pw-a"), ("authorization", "Bearer sk-pw-a")], "key sk-pw-a"),
            (&[("authorization", "Bearer a.b.c")], "token a.b.c"),
            (&[("x-api-key", "a.b.c")], "token a.b.c"),
        ] {
            assert_eq!(of(headers, "/v1/models?limit=1").unwrap(), expected);
        }
    }

    #[test]
    fn nothing_is_guessed() {
        let large = format!("Bearer a.b.{}", "c".repeat(MAX_TOKEN));
        for headers in [
            &[][..],
            &[("authorization", "Bearer sk-pw-a"), ("authorization", "Bearer sk-pw-a")],
            &[("x-api-key", "sk-pw-a"), ("x-api-key", "sk-pw-a")],
            &[("x-api-key", "sk-pw-a"), ("authorization", "Bearer sk-pw-b")],
            &[("x-api-key", "sk-pw-a"), ("authorization", "Basic sk-pw-a")],
            &[("authorization", "Bearer")],
            &[("authorization", "sk-pw-a")],
            &[("authorization", "Bearer a.b")],
            &[("authorization", "Bearer a.b.c.d")],
            &[("authorization", &large)],
        ] {
            assert_eq!(of(headers, "/").unwrap_err().kind(), ErrorKind::InvalidKey, "{headers:?}");
        }
    }

    #[test]
    fn a_key_in_the_address_is_burnt() {
        let good = [("authorization", "Bearer sk-pw-a")];
        for query in ["key=sk-pw-abc", "a=1&api_key=sk%2dpw%2Dabc", "access_token=x"] {
            let refused = of(&good, &format!("/v1/models?{query}")).unwrap_err();
            assert!(refused.message().contains("Replace it") && !refused.message().contains("abc"), "{query}");
        }
        assert!(of(&good, "/v1/models?q=sk-p%").is_ok());
    }

    #[test]
    fn a_credential_is_not_debugged() {
        assert_eq!(format!("{:?} {:?}", Credential::Key("sk-pw-a"), Credential::Token("a.b.c")), "Key(…) Token(…)");
    }
}
