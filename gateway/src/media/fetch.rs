//! Fetching a picture from the open internet, and from nowhere else.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url, redirect};

use super::is_picture;
use super::public::is_public;

/// Bytes of one that is fetched.
const MAX_BYTES: usize = 16 << 20;
/// Time for one to be fetched.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Fetches what callers name by URL.
#[derive(Debug)]
pub struct Fetcher {
    client: Client,
}

impl Fetcher {
    /// A fetcher of public things.
    ///
    /// # Errors
    /// Where no TLS can be had.
    pub fn new() -> reqwest::Result<Self> {
        Ok(Self { client: public_client(TIMEOUT)? })
    }

    /// The picture behind a URL, as a `data:` URL.
    pub(super) async fn fetch(&self, url: &str) -> Result<String, String> {
        let url = public_url(url)?;
        let failed = |error: reqwest::Error| format!("It could not be fetched: {}.", error.without_url());
        let response = self.client.get(url).send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(format!("It could not be fetched: status {}.", response.status()));
        }
        let kind = response.headers().get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !is_picture(&kind) {
            return Err("What is there is no picture: PNG, JPEG, WebP and GIF are read.".to_owned());
        }
        let (mut bytes, mut body) = (Vec::new(), response.bytes_stream());
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece.map_err(failed)?);
            if bytes.len() > MAX_BYTES {
                return Err(format!("The picture is larger than {MAX_BYTES} bytes."));
            }
        }
        Ok(format!("data:{kind};base64,{}", STANDARD.encode(bytes)))
    }
}

/// A client that talks to public addresses alone, whatever a name resolves to, and goes nowhere else from there.
pub(crate) fn public_client(timeout: Duration) -> reqwest::Result<Client> {
    let client = Client::builder().dns_resolver(PublicOnly).redirect(redirect::Policy::none()).no_proxy();
    client.timeout(timeout).build()
}

/// The URL, if it is one that such a client may be given: a resolver is not asked for addresses.
pub(crate) fn public_url(url: &str) -> Result<Url, String> {
    let url = Url::parse(url).map_err(|error| format!("It is no URL: {error}."))?;
    if url.scheme() != "https" {
        return Err("Only https: URLs are used.".to_owned());
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_private = host.is_empty() || host.parse().is_ok_and(|address: IpAddr| !is_public(address));
    if is_private || !matches!(url.port(), None | Some(443)) || !url.username().is_empty() {
        return Err("Only public addresses are used, at their usual port.".to_owned());
    }
    Ok(url)
}

/// Resolves names to public addresses alone.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err("the name has no public address".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}
