//! `POST /v1/auth/tokens`: a short-lived token, to be handed to somebody else's browser.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use peerway_billing::Nanos;
use peerway_openapi::admin::{Token, TokenRequest};
use peerway_openapi::{ApiError, parse};

use super::body;
use super::reply::{json, or_refuse};
use crate::Gateway;
use crate::access::{MintTerms, Principal};

/// Seconds that a token works where the caller does not say.
const DEFAULT_S: i64 = 600;
/// Seconds that a token works at most: what a browser loses is lost until then.
const MAX_S: i64 = 3600;
/// Bytes of all names of models together: a token travels in a header.
const MAX_MODELS_BYTES: usize = 4096;

/// `POST /v1/auth/tokens`.
pub async fn create(
    State(gateway): State<Arc<Gateway>>,
    Extension(principal): Extension<Arc<Principal>>,
    request: Body,
) -> Response {
    let answer = async {
        let bytes = body::read(request, &gateway.config).await?;
        let asked: TokenRequest = if bytes.is_empty() { TokenRequest::default() } else { parse::json(&bytes)? };
        let minted = gateway.authenticator.mint(&principal, terms(asked)?)?;
        let token =
            Token { object: "auth.token".to_owned(), token: minted.token, expires_at: minted.expires_at.as_secs() };
        json(StatusCode::CREATED, &token)
    };
    or_refuse(answer.await)
}

fn terms(asked: TokenRequest) -> Result<MintTerms, ApiError> {
    let seconds = asked.expires_in.unwrap_or(DEFAULT_S);
    let seconds = u64::try_from(seconds).ok().filter(|_| (1..=MAX_S).contains(&seconds));
    let seconds = seconds.ok_or_else(|| {
        ApiError::invalid("expires_in", format!("`expires_in` must be between 1 and {MAX_S} seconds."))
    })?;
    if let Some(models) = &asked.models {
        if models.is_empty() {
            return Err(ApiError::invalid(
                "models",
                "`models` must name at least one; leave it out for those of the key.",
            ));
        }
        if models.iter().map(String::len).sum::<usize>() > MAX_MODELS_BYTES {
            return Err(ApiError::invalid("models", "`models` is too long for a token; name fewer."));
        }
    }
    let max_spend = asked.max_spend_usd.map(|text| text.parse::<Nanos>()).transpose();
    let max_spend = max_spend.map_err(|error| ApiError::invalid("max_spend_usd", format!("{error}.")))?;
    if max_spend.is_some_and(|max| max <= Nanos::ZERO) {
        let message = "`max_spend_usd` must be more than nothing; leave it out for what the key may spend.";
        return Err(ApiError::invalid("max_spend_usd", message));
    }
    Ok(MintTerms { expires_in: Duration::from_secs(seconds), models: asked.models, max_spend })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Result<MintTerms, ApiError> {
        parse::json(body.as_bytes()).and_then(terms)
    }

    #[test]
    fn terms_have_bounds() {
        let whole = of(r#"{"expires_in":3600,"models":["a"],"max_spend_usd":"0.05"}"#).unwrap();
        let expected = MintTerms {
            expires_in: Duration::from_secs(3600),
            models: Some(vec!["a".to_owned()]),
            max_spend: Some(Nanos::new(50_000_000)),
        };
        assert_eq!(whole, expected);
        assert_eq!(
            of("{}").unwrap(),
            MintTerms { expires_in: Duration::from_secs(600), models: None, max_spend: None }
        );
        let many = format!(r#"{{"models":["{}"]}}"#, "m".repeat(5000));
        for (body, param) in [
            (r#"{"expires_in":0}"#, "expires_in"),
            (r#"{"expires_in":-1}"#, "expires_in"),
            (r#"{"expires_in":3601}"#, "expires_in"),
            (r#"{"expires_in":"soon"}"#, "expires_in"),
            (r#"{"models":[]}"#, "models"),
            (r#"{"models":"a"}"#, "models"),
            (&many, "models"),
            (r#"{"max_spend_usd":"0"}"#, "max_spend_usd"),
            (r#"{"max_spend_usd":"-1"}"#, "max_spend_usd"),
            (r#"{"max_spend_usd":1}"#, "max_spend_usd"),
        ] {
            assert_eq!(of(body).unwrap_err().param(), Some(param), "{body}");
        }
    }
}
