//! Where the upstream is and how long to wait for it.

use std::time::Duration;

use http::header::HeaderValue;
use http::uri::{PathAndQuery, Scheme, Uri};

/// How to reach an upstream server.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Its base URL, as an OpenAI client would be given it, for example `http://127.0.0.1:8000/v1`.
    pub base_url: String,
    /// Its key, sent as a bearer token. None: it wants none.
    pub key: Option<String>,
    /// Its name for the model. None: the same as the public id.
    pub model: Option<String>,
    /// To set up a connection.
    pub connect_timeout: Duration,
    /// From the request to the first byte of the answer's head; for an answer that is not streamed, all of the work.
    pub first_byte_timeout: Duration,
    /// Between two pieces of an answer.
    pub idle_timeout: Duration,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No http or https URL.
    #[error("upstream `{url}`: {reason}; give a base URL such as http://127.0.0.1:8000/v1")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A key with characters that a header cannot carry. The key itself is not shown.
    #[error("the upstream's key has characters that an HTTP header cannot carry")]
    Key,
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made: {0}")]
    Client(String),
}

impl HttpSettings {
    /// Settings with the usual times: 5 s to connect, 300 s to the first byte, 60 s between pieces.
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            key: None,
            model: None,
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(300),
            idle_timeout: Duration::from_secs(60),
        }
    }

    /// The base URL, without a slash at its end.
    pub(super) fn base(&self) -> Result<String, SettingsError> {
        let fault = |reason: &str| SettingsError::Url { url: self.base_url.clone(), reason: reason.to_owned() };
        let uri: Uri = self.base_url.parse().map_err(|error: http::uri::InvalidUri| fault(&error.to_string()))?;
        if uri.scheme() != Some(&Scheme::HTTP) && uri.scheme() != Some(&Scheme::HTTPS) {
            return Err(fault("not an http or https URL"));
        }
        if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(fault("it has no host, or a user name in it"));
        }
        if uri.path_and_query().and_then(PathAndQuery::query).is_some() {
            return Err(fault("it has a query"));
        }
        Ok(self.base_url.trim_end_matches('/').to_owned())
    }

    pub(super) fn authorization(&self) -> Result<Option<HeaderValue>, SettingsError> {
        let Some(key) = &self.key else { return Ok(None) };
        let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_invalid| SettingsError::Key)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_of_the_base_url_is_no_part_of_it() {
        for base in ["http://h:1/v1", "http://h:1/v1/"] {
            assert_eq!(HttpSettings::new(base).base().unwrap(), "http://h:1/v1");
        }
    }

    #[test]
    fn what_is_no_url_is_named() {
        for base in ["", "localhost:8000", "ftp://h/v1", "http://user:pw@h/v1", "http://h/v1?x=1", "http://"] {
            let error = HttpSettings::new(base).base().unwrap_err().to_string();
            assert!(error.contains("base URL such as"), "{base}: {error}");
        }
    }
}
