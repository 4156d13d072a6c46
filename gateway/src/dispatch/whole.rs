//! Asking for an answer that comes at once, as embeddings do.

use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt, Limited};
use peerway_openapi::ApiError;
use peerway_p2p::Client;
use tokio::time::Instant;

use super::answer::InFlight;
use super::attempts::Failed;
use super::{Attempts, send};
use crate::route::Pick;

/// Bytes of an answer: 2048 vectors of 4096 numbers in base64, and some.
const MAX_ANSWER: usize = 64 << 20;

/// Tries nodes in their order until one gives an answer that `read` takes. `read` says in a few words what is wrong with
/// one; the next node may do better.
///
/// # Errors
/// As [`super::dispatch`].
pub async fn fetch<T>(
    client: &Client,
    attempts: &mut Attempts,
    path: &'static str,
    body: &Bytes,
    wait: Duration,
    read: impl Fn(&[u8]) -> Result<T, &'static str>,
) -> Result<(Pick, T), ApiError> {
    while let Some(pick) = attempts.next() {
        let asked = Instant::now();
        let fetched = fetch_one(client, &pick, path, body.clone(), wait).await;
        match fetched.and_then(|bytes| read(&bytes).map_err(Failed::node)) {
            Ok(answer) => {
                Attempts::answered(&pick, asked.elapsed());
                pick.candidate.health().served();
                return Ok((pick, answer));
            }
            Err(failed) => attempts.failed(&pick, failed),
        }
    }
    Err(attempts.error())
}

async fn fetch_one(
    client: &Client,
    pick: &Pick,
    path: &'static str,
    body: Bytes,
    wait: Duration,
) -> Result<Bytes, Failed> {
    let _in_flight = InFlight::at(&pick.candidate)?;
    let (_, body) = send::post(client, pick, Uri::from_static(path), body, wait).await?;
    match tokio::time::timeout(wait, Limited::new(body, MAX_ANSWER).collect()).await {
        Err(_) => Err(Failed::node("no answer in time")),
        Ok(Err(error)) => Err(Failed::node(error)),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
    }
}
