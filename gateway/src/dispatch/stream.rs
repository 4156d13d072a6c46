//! Asking for an answer that comes in pieces.

use std::time::{Duration, Instant};

use bytes::Bytes;
use peerway_openapi::ApiError;
use peerway_p2p::Client;

use super::answer::InFlight;
use super::attempts::Failed;
use super::form::Most;
use super::{Attempts, Form, NodeAnswer, send};
use crate::route::Pick;

/// The header in which a node tells how long a request waited for a slot.
const QUEUE_HEADER: &str = "x-peerway-queue-ms";

/// How long a node may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until the first piece of the answer.
    pub first_token: Duration,
}

/// An answer that has begun.
#[derive(Debug)]
pub struct Dispatched {
    /// The node that answers.
    pub pick: Pick,
    /// Its answer.
    pub answer: NodeAnswer,
    /// Milliseconds for which the request waited at the node, where it says so.
    pub queue_ms: Option<u64>,
    /// Nodes that were tried before.
    pub failed_attempts: usize,
}

/// Tries nodes in their order until one begins to answer. Nothing has been shown to the caller until then and nothing
/// is charged for what was not shown, so the next node may do the work again.
///
/// # Errors
/// Where no node begins: a node's refusal of the request where one gave it, `NoHealthyNode` where all are busy,
/// `NodeFailed` otherwise.
pub async fn dispatch(
    client: &Client,
    attempts: &mut Attempts,
    (form, most): (Form, Most),
    body: &Bytes,
    timeouts: Timeouts,
) -> Result<Dispatched, ApiError> {
    while let Some(pick) = attempts.next() {
        let asked = Instant::now();
        match begin(client, &pick, (form, most), body.clone(), timeouts).await {
            Ok((answer, queue_ms)) => {
                Attempts::answered(&pick, asked);
                return Ok(Dispatched { pick, answer, queue_ms, failed_attempts: attempts.tried() - 1 });
            }
            Err(failed) => attempts.failed(&pick, failed),
        }
    }
    Err(attempts.error())
}

async fn begin(
    client: &Client,
    pick: &Pick,
    (form, most): (Form, Most),
    body: Bytes,
    timeouts: Timeouts,
) -> Result<(NodeAnswer, Option<u64>), Failed> {
    let in_flight = InFlight::at(&pick.candidate)?;
    let (headers, body) = send::post(client, pick, form.path(), body, timeouts.first_token).await?;
    let queue_ms = headers.get(QUEUE_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut answer = NodeAnswer::new(pick.candidate.clone(), body, form, most, in_flight);
    answer.await_first(timeouts.first_token).await.map_err(Failed::node)?;
    Ok((answer, queue_ms))
}
