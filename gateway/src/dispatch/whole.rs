//! Asking for an answer that comes at once, as embeddings do.

use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt, Limited};
use peerway_openapi::ApiError;
use peerway_p2p::{Candidate, Client};
use tokio::time::Instant;

use super::answer::InFlight;
use super::attempts::Failed;
use super::hedge::{self, Won};
use super::patience::Prospect;
use super::{Attempts, send};
use crate::route::Pick;

/// Bytes of an answer: 2048 vectors of 4096 numbers in base64, and some.
const MAX_ANSWER: usize = 64 << 20;

/// What every node is asked that is tried for a request.
#[derive(Debug, Clone)]
pub struct Fetching {
    /// Where nodes take it.
    pub path: &'static str,
    /// The request.
    pub body: Bytes,
    /// Tokens of all that is to be read.
    pub prompt: u64,
    /// How long a node may take, whatever is known of it.
    pub wait: Duration,
    /// Whether another node is asked as well where one is late.
    pub hedges: bool,
}

/// Tries nodes in their order until one gives an answer that `read` takes, two at once where one is late and the caller
/// wants it. `read` says in a few words what is wrong with an answer; the next node may do better.
///
/// # Errors
/// As [`super::dispatch`].
pub async fn fetch<T>(
    client: &Client,
    attempts: &mut Attempts,
    fetching: &Fetching,
    read: impl Fn(&[u8]) -> Result<T, &'static str>,
) -> Result<(Pick, T), ApiError> {
    let late = |candidate: &Candidate| fetching.hedges.then(|| hedge::is_late_after(candidate, fetching.wait));
    let read = &read;
    let won = hedge::first(attempts, late, |pick| async move {
        let bytes = fetch_one(client, &pick, fetching).await?;
        read(&bytes).map_err(Failed::node)
    });
    let Won { pick, took, answer } = won.await?;
    Attempts::answered(&pick, took);
    pick.candidate.health().served();
    Ok((pick, answer))
}

async fn fetch_one(client: &Client, pick: &Pick, fetching: &Fetching) -> Result<Bytes, Failed> {
    let Fetching { path, body, prompt, wait, .. } = fetching;
    let wait = Prospect::of(&pick.candidate, *prompt).patience(*wait);
    let deadline = Instant::now() + wait;
    let _in_flight = InFlight::at(&pick.candidate)?;
    let (_, body) = send::post(client, pick, Uri::from_static(path), body.clone(), wait).await?;
    match tokio::time::timeout_at(deadline, Limited::new(body, MAX_ANSWER).collect()).await {
        Err(_) => Err(Failed::node("no answer in time")),
        Ok(Err(error)) => Err(Failed::node(error)),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
    }
}
