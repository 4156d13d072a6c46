//! Asking for an answer that comes in pieces.

use std::time::Duration;

use bytes::Bytes;
use peerway_openapi::ApiError;
use peerway_p2p::{Candidate, Client};
use tokio::time::Instant;

use super::answer::InFlight;
use super::attempts::Failed;
use super::form::Most;
use super::hedge::{self, Won};
use super::patience::Prospect;
use super::{Attempts, Form, NodeAnswer, send};
use crate::route::Pick;

/// The header in which a node tells how long a request waited for a slot.
const QUEUE_HEADER: &str = "x-peerway-queue-ms";

/// What every node is asked that is tried for a request.
#[derive(Debug, Clone)]
pub struct Asking {
    /// How nodes are asked.
    pub form: Form,
    /// What the answer may come to.
    pub most: Most,
    /// The request.
    pub body: Bytes,
    /// Tokens of the prompt.
    pub prompt: u64,
    /// How long a node may take until the first piece, whatever is known of it.
    pub first_token: Duration,
    /// Whether another node is asked as well where one is late.
    pub hedges: bool,
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
    /// Nodes that were asked, this one among them.
    pub attempts: usize,
}

/// Tries nodes in their order until one begins to answer, two at once where one is late and the caller wants it. Nothing
/// has been shown to the caller until then and nothing is charged for what was not shown, so the next node may do the work
/// again.
///
/// # Errors
/// Where no node begins: a node's refusal of the request where one gave it, `NoHealthyNode` where all are busy,
/// `NodeFailed` otherwise.
pub async fn dispatch(client: &Client, attempts: &mut Attempts, asking: &Asking) -> Result<Dispatched, ApiError> {
    let late = |candidate: &Candidate| asking.hedges.then(|| hedge::is_late_after(candidate, asking.first_token));
    let won = hedge::first(attempts, late, |pick| async move { begin(client, &pick, asking).await }).await?;
    let Won { pick, took, answer: (answer, queue_ms) } = won;
    Attempts::answered(&pick, took);
    Ok(Dispatched { pick, answer, queue_ms, attempts: attempts.tried() })
}

/// Asks one node to go on with an answer. What came of it is noted as of any other attempt.
///
/// # Errors
/// Why it does not, in a few words.
pub async fn go_on(client: &Client, pick: &Pick, asking: &Asking) -> Result<NodeAnswer, String> {
    let asked = Instant::now();
    match begin(client, pick, asking).await {
        Ok((answer, _)) => {
            Attempts::answered(pick, asked.elapsed());
            Ok(answer)
        }
        Err(Failed::Request(refusal)) => Err(refusal.message().to_owned()),
        Err(Failed::Node { busy, why }) => {
            if !busy {
                pick.candidate.health().failed();
            }
            Err(why)
        }
    }
}

async fn begin(client: &Client, pick: &Pick, asking: &Asking) -> Result<(NodeAnswer, Option<u64>), Failed> {
    let Asking { form, most, body, first_token, prompt, .. } = asking;
    let wait = Prospect::of(&pick.candidate, *prompt).patience(*first_token);
    let deadline = Instant::now() + wait;
    let in_flight = InFlight::at(&pick.candidate)?;
    let (headers, body) = send::post(client, pick, form.path(), body.clone(), wait).await?;
    let queue_ms = headers.get(QUEUE_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut answer = NodeAnswer::new(pick.candidate.clone(), body, *form, *most, in_flight);
    answer.await_first(deadline).await.map_err(Failed::node)?;
    Ok((answer, queue_ms))
}
