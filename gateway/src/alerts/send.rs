//! Posting to an address that a caller chose: public addresses by https alone, unless the operator lets any be used.

use std::time::Duration;

use reqwest::{Client, Url, redirect};

use crate::media::{public_client, public_url};

/// Time for one post.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The signature's header.
const SIGNATURE: &str = "x-peerway-signature";

/// Posts alerts.
#[derive(Debug)]
pub struct Sender {
    client: Client,
    /// Whether any address may be posted to, also by http.
    anywhere: bool,
}

impl Sender {
    /// A sender to public addresses, or to any.
    ///
    /// # Errors
    /// Where no TLS can be had.
    pub fn new(anywhere: bool) -> reqwest::Result<Self> {
        let client = if anywhere {
            Client::builder().redirect(redirect::Policy::none()).no_proxy().timeout(TIMEOUT).build()?
        } else {
            public_client(TIMEOUT)?
        };
        Ok(Self { client, anywhere })
    }

    /// The URL, if it may be posted to.
    ///
    /// # Errors
    /// Why it may not, for its owner.
    pub fn check(&self, url: &str) -> Result<Url, String> {
        if !self.anywhere {
            return public_url(url);
        }
        let url = Url::parse(url).map_err(|error| format!("It is no URL: {error}."))?;
        if matches!(url.scheme(), "http" | "https") {
            Ok(url)
        } else {
            Err("Only https: and http: URLs work.".to_owned())
        }
    }

    /// Posts; the answer's body is not read.
    pub(super) async fn post(&self, url: &str, body: String, signature: &str) -> Result<(), String> {
        let url = self.check(url)?;
        let request = self.client.post(url).header(http::header::CONTENT_TYPE, "application/json");
        let response = request.header(SIGNATURE, signature).body(body).send().await;
        let status = response.map_err(|error| error.without_url().to_string())?.status();
        if status.is_success() { Ok(()) } else { Err(format!("status {status}")) }
    }
}
