//! Nodes that go on with an answer where another failed.
//!
//! Only a node with the same weights, stored the same way, would have written what the first was about to write. It must
//! know how to go on from tokens, and ask no more than what is set aside still pays: the caller's bill is covered, whoever
//! serves. Where nothing was delivered yet, any node that serves the request will do.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use peerway_p2p::{Candidate, PeerId, Row};
use tracing::info;

use super::ask::resuming;
use super::{Estimate, admit};
use crate::Gateway;
use crate::catalog::CatalogModel;
use crate::dispatch::{Asking, go_on};
use crate::meter::{HandOver, NoSuccessor, Successor, Successors};
use crate::route::{Need, Pick, Requirement, Wishes, asking_price, rank};

/// Nodes that are asked to go on with one answer, whether or not they do.
const MOST: usize = 2;

/// What a node that goes on with an answer can do, by its name in adverts.
const RESUME: Requirement = Requirement { capability: "resume", field: "model" };

/// What is sought, the same for the whole request.
#[derive(Debug)]
pub(super) struct Sought {
    pub(super) gateway: Arc<Gateway>,
    pub(super) model: Arc<CatalogModel>,
    /// As the first node was asked.
    pub(super) asking: Asking,
    pub(super) requirements: Arc<[Requirement]>,
    pub(super) wishes: Arc<Wishes>,
    pub(super) estimate: Estimate,
}

/// Finds nodes for one answer.
#[derive(Debug)]
pub(super) struct Twins {
    sought: Arc<Sought>,
    asked: Arc<Mutex<Asked>>,
}

/// Who has been tried.
#[derive(Debug, Default)]
struct Asked {
    failed: Vec<PeerId>,
    times: usize,
}

impl Twins {
    pub(super) fn new(sought: Sought) -> Self {
        Self { sought: Arc::new(sought), asked: Arc::default() }
    }
}

impl Successors for Twins {
    fn find(&mut self, hand_over: HandOver) -> BoxFuture<'static, Result<Successor, NoSuccessor>> {
        let (sought, asked) = (Arc::clone(&self.sought), Arc::clone(&self.asked));
        asked.lock().failed.push(hand_over.failed.peer_id());
        async move { sought.find(&hand_over, &asked).await }.boxed()
    }
}

impl Sought {
    async fn find(&self, left: &HandOver, asked: &Mutex<Asked>) -> Result<Successor, NoSuccessor> {
        let asking = self.asking(left)?;
        loop {
            let pick = self.pick(left, &asked.lock())?;
            if !self.gateway.retries.withdraw() {
                return Err(NoSuccessor("too many requests had to be tried again of late".to_owned()));
            }
            asked.lock().times += 1;
            let seller = admit::seller(&pick).map_err(|error| NoSuccessor(error.message().to_owned()))?;
            match go_on(self.gateway.peers.client(), &pick, &asking).await {
                Ok(answer) => {
                    let result = if left.delivered.is_some() { "resumed" } else { "restarted" };
                    metrics::counter!("peerway_resumed_total", "result" => result).increment(1);
                    return Ok(Successor { answer, seller });
                }
                Err(why) => {
                    metrics::counter!("peerway_resumed_total", "result" => "failed").increment(1);
                    info!(node = %pick.candidate.peer_id(), why, "a node does not go on with an answer");
                    asked.lock().failed.push(pick.candidate.peer_id());
                }
            }
        }
    }

    /// The best node that can.
    fn pick(&self, left: &HandOver, asked: &Asked) -> Result<Pick, NoSuccessor> {
        if asked.times >= MOST {
            return Err(NoSuccessor(format!("{MOST} nodes were asked to go on")));
        }
        let directory = self.gateway.peers.directory();
        let snapshot = directory.snapshot();
        let fits = |row: &Row<'_>| {
            (left.delivered.is_none() || is_twin(&left.failed, row.candidate()))
                && left.cover.reaches(&asking_price(row.candidate()))
        };
        let more = left.delivered.is_some().then_some(RESUME);
        let requirements: Vec<Requirement> = self.requirements.iter().copied().chain(more).collect();
        let completion = self.asking.most.tokens;
        let need = Need {
            prompt: self.estimate.longest_prompt,
            paid_prompt: self.estimate.prompt,
            completion,
            likely_completion: self.gateway.learnt.habits.likely_completion(&self.model.card.id, completion),
            requirements: &requirements,
            price_cap: self.model.price_cap,
            fee: self.gateway.fee,
            wishes: &self.wishes,
            cached: None,
            seed: rand::random(),
            now_ms: directory.now_ms(),
        };
        let candidates = snapshot.candidates(&self.model.card.id);
        let picks = rank(candidates.rows().filter(fits), &need, &asked.failed);
        let picks = picks.map_err(|refusal| NoSuccessor(format!("no other node could: {refusal:?}")))?;
        picks.into_iter().next().ok_or_else(|| NoSuccessor("no other node could".to_owned()))
    }

    /// The request to go on, or the first one again where there is nothing to go on from.
    fn asking(&self, left: &HandOver) -> Result<Asking, NoSuccessor> {
        let Some(delivered) = &left.delivered else { return Ok(self.asking.clone()) };
        // Read again from what was sent: thousands of answers that need no other node would each keep the request.
        let body = resuming(self.asking.form, &self.asking.body, delivered.clone());
        let body = body.map_err(|cause| NoSuccessor(format!("the request could not be written: {cause}")))?;
        Ok(Asking { body, ..self.asking.clone() })
    }
}

/// Whether a node would write what another was about to write: the same weights, stored the same way.
fn is_twin(one: &Candidate, other: &Candidate) -> bool {
    let (one, other) = (one.offer(), other.offer());
    !one.weights_hash.is_empty() && one.weights_hash == other.weights_hash && one.quantization == other.quantization
}
