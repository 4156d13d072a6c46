//! Fetching a provider's keys, within bounds.
//!
//! Where they are is said by the operator, or by the provider's discovery document, and by nobody else. Redirects are not
//! followed: they would let whoever answers choose another judge. Plain http only to this machine, where tests and
//! sidecars are; a discovery document cannot lead from https to there.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;

use super::jwks::KeySet;

const CONNECT: Duration = Duration::from_secs(2);
/// For everything: discovery and the keys.
const TOTAL: Duration = Duration::from_secs(5);
/// Bytes of a document.
const MAX_BYTES: usize = 256 << 10;

/// Where a provider's keys are.
#[derive(Debug, Clone)]
pub(super) struct Source {
    client: Client,
    issuer: String,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Keys(Url),
    Discovery(Url),
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Source {
    /// The keys at this URL; with None, where the issuer's discovery document says.
    pub(super) fn new(issuer: &str, jwks_url: Option<&str>) -> Result<Self, String> {
        let place = match jwks_url {
            Some(url) => Place::Keys(allowed(url)?),
            None => {
                let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
                Place::Discovery(allowed(&url)?)
            }
        };
        let (Place::Keys(url) | Place::Discovery(url)) = &place;
        let mut builder = Client::builder().connect_timeout(CONNECT).timeout(TOTAL).redirect(Policy::none());
        if url.scheme() == "http" {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| format!("no HTTP client: {error}"))?;
        Ok(Self { client, issuer: issuer.to_owned(), place })
    }

    /// The keys as they are now, or what went wrong, for the log.
    pub(super) async fn keys(&self) -> Result<KeySet, String> {
        let fetched = tokio::time::timeout(TOTAL, self.fetch()).await;
        fetched.unwrap_or_else(|_| Err(format!("no answer within {} s", TOTAL.as_secs())))
    }

    async fn fetch(&self) -> Result<KeySet, String> {
        let document = match &self.place {
            Place::Keys(url) => self.get(url).await?,
            Place::Discovery(url) => self.get(&self.discovered(url).await?).await?,
        };
        KeySet::parse(&document)
    }

    async fn discovered(&self, url: &Url) -> Result<Url, String> {
        let document = self.get(url).await?;
        let found: Discovery =
            serde_json::from_slice(&document).map_err(|error| format!("{url} is no discovery document: {error}"))?;
        if found.issuer != self.issuer {
            return Err(format!("{url} is the document of another issuer"));
        }
        let keys = allowed(&found.jwks_uri)?;
        if url.scheme() == "https" && keys.scheme() != "https" {
            return Err(format!("{url} names keys that are not at an https URL"));
        }
        Ok(keys)
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, String> {
        let failed = |error: reqwest::Error| format!("{url}: {}", error.without_url());
        let mut response = self.client.get(url.clone()).send().await.map_err(failed)?;
        if response.status() != StatusCode::OK {
            return Err(format!("{url} answers {}", response.status()));
        }
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if document.len() + chunk.len() > MAX_BYTES {
                return Err(format!("{url} has more than {MAX_BYTES} bytes"));
            }
            document.extend_from_slice(&chunk);
        }
        Ok(document)
    }
}

/// A URL that may be asked for keys.
fn allowed(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is no URL: {error}"))?;
    let is_here = match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_here => Ok(url),
        _ => Err(format!("`{text}` is neither https nor on this machine")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::access::testing::{TestProvider, rsa_jwk};

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        for good in ["https://id.example.com/keys", "http://127.0.0.1:1/", "http://localhost/", "http://[::1]:8/"] {
            assert!(allowed(good).is_ok(), "{good}");
        }
        for bad in ["http://id.example.com/keys", "http://127.0.0.1.example.com/", "file:///etc/passwd", "keys", ""] {
            assert!(allowed(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn discovery_leads_to_the_keys_of_the_same_issuer_only() {
        let provider = TestProvider::start().await;
        provider.serve_keys(&[rsa_jwk("r")]);
        let source = Source::new(&provider.issuer(), None).unwrap();
        assert!(source.keys().await.is_ok());
        provider.serve(
            "/.well-known/openid-configuration",
            &json!({
                "issuer": "https://other.example.com", "jwks_uri": provider.keys_url(),
            }),
        );
        assert!(source.keys().await.unwrap_err().contains("another issuer"));
    }

    #[tokio::test]
    async fn an_answer_is_bounded_and_leads_nowhere_else() {
        let provider = TestProvider::start().await;
        let source = Source::new(&provider.issuer(), Some(&provider.keys_url())).unwrap();
        provider.serve("/keys", &json!({"keys": [rsa_jwk("r")], "padding": "x".repeat(MAX_BYTES)}));
        assert!(source.keys().await.unwrap_err().contains("more than"));
        provider.redirect("/keys", "/elsewhere");
        provider.serve("/elsewhere", &json!({"keys": [rsa_jwk("r")]}));
        assert!(source.keys().await.unwrap_err().contains("302"));
        provider.stop().await;
        assert!(source.keys().await.is_err());
    }
}
