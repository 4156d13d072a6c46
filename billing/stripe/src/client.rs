//! The connection to Stripe: one way to read, one way to act.

use std::fmt;
use std::time::Duration;

use miniserde::Deserialize;
use rustls::crypto::CryptoProvider;
use stripe::{Client, ClientBuilder, StripeRequest};
use stripe_client_core::CustomizableStripeRequest;

use crate::error::CallError;
use crate::key::CallKey;

/// Where Stripe is, and who we are there.
#[derive(Clone)]
pub struct StripeConfig {
    /// `sk_test_…`, `sk_live_…` or a restricted `rk_…`. Never shown.
    pub secret_key: String,
    /// Where the API is. `None` for Stripe itself, `https://api.stripe.com/`.
    pub base: Option<String>,
    /// How long one call may take. An act that takes longer has an outcome that is not known.
    pub timeout: Duration,
}

impl StripeConfig {
    /// Stripe says that its calls end within 80 seconds. Nobody waits so long for a payment page.
    pub const TIMEOUT: Duration = Duration::from_secs(20);
}

impl fmt::Debug for StripeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripeConfig").field("base", &self.base).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// rustls asks the process which cryptography it uses as soon as two are compiled in, and panics where nobody has said. Who has said
/// already is left alone.
fn choose_cryptography() {
    if CryptoProvider::get_default().is_none() {
        // Fails only where another thread has chosen meanwhile, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}

/// Calls to Stripe. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StripeClient {
    client: Client,
}

impl StripeClient {
    /// Does not connect yet.
    ///
    /// # Errors
    /// The key cannot stand in a header, or the base is no URL.
    pub fn new(config: StripeConfig) -> Result<Self, CallError> {
        choose_cryptography();
        let mut builder = ClientBuilder::new(config.secret_key).timeout(config.timeout);
        if let Some(base) = config.base {
            let base = if base.ends_with('/') { base } else { format!("{base}/") };
            builder = builder.url(base);
        }
        Ok(Self { client: builder.build()? })
    }

    /// Asks for what is there. It changes nothing, so it may be asked again.
    pub(crate) async fn read<R>(&self, request: &R) -> Result<R::Output, CallError>
    where
        R: StripeRequest + Sync,
        R::Output: Deserialize,
    {
        self.read_raw(request.customize()).await
    }

    pub(crate) async fn read_raw<T: Deserialize>(&self, request: CustomizableStripeRequest<T>) -> Result<T, CallError> {
        Ok(request.send(&self.client).await?)
    }

    /// Has something done, once for each key.
    pub(crate) async fn act<R>(&self, request: &R, key: &CallKey) -> Result<R::Output, CallError>
    where
        R: StripeRequest + Sync,
        R::Output: Deserialize,
    {
        Ok(request.customize().request_strategy(key.strategy()).send(&self.client).await?)
    }
}
