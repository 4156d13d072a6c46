//! A provider's keys, kept.
//!
//! Tokens are verified with what is here; the provider is asked in the background, and by a request only where a token
//! names a key that is not here. How often that happens must not be up to who sends tokens, so requests ask at most once
//! in ten seconds, one of them for all, in a task that goes on when its caller leaves. A provider that is away takes
//! nobody's access for a day: its keys are as good as when it went.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey};
use parking_lot::Mutex;
use peerway_billing::{Clock, Timestamp};
use peerway_openapi::{ApiError, ErrorKind};
use tracing::warn;

use super::credential::refused;
use super::fetch::Source;
use super::jwks::KeySet;

/// How long keys are good without the provider's word.
const GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Between two questions for a key that is not known.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// Between two questions while no key is known at all: there is nothing else to serve with.
const ASK_EVERY_AT_FIRST: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct KeyCache {
    source: Source,
    clock: Clock,
    state: Mutex<State>,
    /// Held by the one who asks.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    kept: Option<(Arc<KeySet>, Timestamp)>,
    asked_at: Option<Timestamp>,
}

impl KeyCache {
    pub(super) fn new(source: Source, clock: Clock) -> Self {
        Self { source, clock, state: Mutex::default(), asking: tokio::sync::Mutex::new(()) }
    }

    /// The key that may have signed a token.
    pub(super) async fn key(self: &Arc<Self>, id: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, ApiError> {
        let find = || Some(self.kept()?.find(id, algorithm)?.clone());
        if let Some(key) = find() {
            return Ok(key);
        }
        let cache = Arc::clone(self);
        // A panic in there is logged by the runtime, and what is kept is unchanged.
        let _ = tokio::spawn(async move { cache.ask_if_due().await }).await;
        match find() {
            Some(key) => Ok(key),
            None if self.kept().is_some() => {
                Err(refused("The token is signed with a key that its issuer does not have. Get a new one."))
            }
            None => {
                let message = "The identity provider cannot be asked for its keys at the moment. Try again.";
                Err(ApiError::new(ErrorKind::IdentityUnavailable, message))
            }
        }
    }

    /// Asks the provider now. For the background.
    pub(super) async fn refresh(&self) {
        let _asking = self.asking.lock().await;
        self.ask().await;
    }

    async fn ask_if_due(&self) {
        let _asking = self.asking.lock().await;
        let pause = if self.kept().is_some() { ASK_EVERY } else { ASK_EVERY_AT_FIRST };
        let asked_at = self.state.lock().asked_at;
        // Who waited for another one's question finds its answer.
        if asked_at.is_none_or(|asked_at| self.clock.now() >= asked_at.after(pause)) {
            self.ask().await;
        }
    }

    async fn ask(&self) {
        self.state.lock().asked_at = Some(self.clock.now());
        match self.source.keys().await {
            Ok(keys) => self.state.lock().kept = Some((Arc::new(keys), self.clock.now())),
            Err(cause) => warn!(%cause, "the keys of an identity provider could not be fetched"),
        }
    }

    fn kept(&self) -> Option<Arc<KeySet>> {
        let state = self.state.lock();
        let (keys, fetched_at) = state.kept.as_ref()?;
        (self.clock.now() < fetched_at.after(GOOD_FOR)).then(|| Arc::clone(keys))
    }
}

#[cfg(test)]
mod tests {
    use peerway_billing::ManualClock;

    use super::*;
    use crate::access::testing::{TestProvider, rsa_jwk};

    async fn cache() -> (TestProvider, Arc<KeyCache>, ManualClock) {
        let provider = TestProvider::start().await;
        provider.serve_keys(&[rsa_jwk("first"), rsa_jwk("other")]);
        let (clock, hand) = Clock::manual(Timestamp::from_millis(1_000_000));
        let source = Source::new(&provider.issuer(), Some(&provider.keys_url())).unwrap();
        (provider, Arc::new(KeyCache::new(source, clock)), hand)
    }

    async fn outcome(cache: &Arc<KeyCache>, id: &str) -> Option<ErrorKind> {
        cache.key(Some(id), Algorithm::RS256).await.err().map(|error| error.kind())
    }

    #[tokio::test]
    async fn unknown_names_do_not_make_the_provider_be_asked_again_and_again() {
        let (provider, cache, hand) = cache().await;
        assert_eq!(outcome(&cache, "first").await, None);
        let many = (0..50).map(|number| {
            let cache = Arc::clone(&cache);
            async move { outcome(&cache, &format!("made-up-{number}")).await }
        });
        let all = futures::future::join_all(many).await;
        assert!(all.iter().all(|kind| *kind == Some(ErrorKind::InvalidKey)));
        assert_eq!(provider.asked(), 1);
        hand.advance(ASK_EVERY);
        outcome(&cache, "made-up").await;
        assert_eq!(provider.asked(), 2);
    }

    #[tokio::test]
    async fn a_rotation_is_followed_as_soon_as_a_token_shows_it() {
        let (provider, cache, hand) = cache().await;
        assert_eq!(outcome(&cache, "first").await, None);
        provider.serve_keys(&[rsa_jwk("second")]);
        hand.advance(ASK_EVERY);
        assert_eq!(outcome(&cache, "second").await, None);
        assert_eq!(outcome(&cache, "first").await, Some(ErrorKind::InvalidKey));
    }

    #[tokio::test]
    async fn keys_outlive_their_provider_by_a_day() {
        let (provider, cache, hand) = cache().await;
        assert_eq!(outcome(&cache, "first").await, None);
        provider.stop().await;
        hand.advance(GOOD_FOR - Duration::from_secs(1));
        cache.refresh().await;
        assert_eq!(outcome(&cache, "first").await, None);
        hand.advance(Duration::from_secs(1));
        assert_eq!(outcome(&cache, "first").await, Some(ErrorKind::IdentityUnavailable));
    }

    #[tokio::test]
    async fn a_provider_that_comes_late_is_found() {
        let (provider, cache, hand) = cache().await;
        provider.fail();
        assert_eq!(outcome(&cache, "first").await, Some(ErrorKind::IdentityUnavailable));
        provider.serve_keys(&[rsa_jwk("first")]);
        assert_eq!(outcome(&cache, "first").await, Some(ErrorKind::IdentityUnavailable));
        hand.advance(ASK_EVERY_AT_FIRST);
        assert_eq!(outcome(&cache, "first").await, None);
    }
}
