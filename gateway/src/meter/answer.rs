//! An answer on its way from a node to a caller.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use peerway_billing::Outcome;
use peerway_openapi::chat::{ChatChunk, FinishReason};
use peerway_openapi::usage::Usage;
use peerway_openapi::{ApiError, ErrorKind};
use tracing::{info, warn};

use super::{
    AnswerCount, Bill, Counted, HandOver, NoSuccessor, Seller, Sold, Standing, Successor, Successors, Transcript,
};
use crate::dispatch::{Most, NodeAnswer, NodeFault};
use crate::layers::RequestId;
use crate::route::Lesson;

/// How long a node has after the end of its answer to say what it used. It knows already.
const USAGE_TIMEOUT: Duration = Duration::from_secs(2);

/// When the caller sees the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Piece by piece: what was delivered before a failure is paid for.
    Streamed,
    /// At its end: a failure before that delivers nothing, costs nothing, and may be made good by another node.
    Whole,
}

impl Delivery {
    /// Whether the caller asked for a stream.
    #[must_use]
    pub fn of_stream(is_stream: bool) -> Self {
        if is_stream { Self::Streamed } else { Self::Whole }
    }
}

/// What an answer is called.
#[derive(Debug)]
pub struct Name {
    /// The request that it answers.
    pub id: RequestId,
    /// The catalog's id of the model.
    pub model: String,
    /// What ids of such answers begin with.
    pub prefix: &'static str,
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// A piece of the answer.
    Chunk(ChatChunk),
    /// The end, paid for.
    End(Usage),
    /// The node failed. What a stream delivered is paid for.
    Broken(ApiError),
}

/// Reads a node's answer, counts it, and settles the bill exactly once: at its end, or when it is dropped because the
/// caller has left.
#[derive(Debug)]
pub struct MeteredAnswer {
    answer: NodeAnswer,
    seller: Seller,
    /// What nodes delivered that died before.
    sold: Vec<Sold>,
    bill: Bill,
    count: AnswerCount,
    /// Tokens of all answers that the hold covers.
    limit: u64,
    transcript: Transcript,
    successors: Box<dyn Successors>,
    /// The search for a node to go on, while there is one.
    search: Option<Search>,
    head: ChatChunk,
    delivery: Delivery,
    next_token_timeout: Duration,
    claimed: Option<Usage>,
    /// An answer went on past what the hold covers.
    was_cut: bool,
    lesson: Option<Arc<Lesson>>,
    state: State,
}

/// A search for a node that goes on where another failed. Kept, so that who stops waiting in between loses nothing.
struct Search {
    fault: NodeFault,
    found: BoxFuture<'static, Result<Successor, NoSuccessor>>,
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").field("fault", &self.fault).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Pieces come.
    Open,
    /// The node said why it stopped; only its usage is missing.
    Finished,
    /// It went on past what the hold covers.
    Cut,
    /// The bill is paid.
    Settled,
}

impl MeteredAnswer {
    /// Begins to read. `most` is what the hold covers.
    #[must_use]
    pub fn new(
        Successor { answer, seller }: Successor,
        bill: Bill,
        (count, most): (AnswerCount, Most),
        Name { id, model, prefix }: Name,
        (delivery, next_token_timeout): (Delivery, Duration),
        successors: Box<dyn Successors>,
    ) -> Self {
        let mut head = ChatChunk::empty(format!("{prefix}{id}"), id.unix_seconds(), model);
        head.provider = Some(seller.node.clone());
        Self {
            answer,
            seller,
            sold: Vec::new(),
            bill,
            count,
            limit: most.tokens.saturating_mul(most.answers),
            transcript: Transcript::new(most.answers, most.tokens),
            successors,
            search: None,
            head,
            delivery,
            next_token_timeout,
            claimed: None,
            was_cut: false,
            lesson: None,
            state: State::Open,
        }
    }

    /// The same answer, which teaches this at its end.
    #[must_use]
    pub fn teaching(mut self, lesson: Arc<Lesson>) -> Self {
        self.lesson = Some(lesson);
        self
    }

    /// The bill of a whole answer that broke, for the next node to earn.
    #[must_use]
    pub fn take_bill(&mut self) -> Bill {
        self.state = State::Settled;
        self.bill.take()
    }

    /// What every chunk of this answer begins with: id, model, time and node, without choices.
    #[must_use]
    pub fn head(&self) -> &ChatChunk {
        &self.head
    }

    /// The next step. None after `End` or `Broken`. While a node is sought to go on with the answer, it only takes longer.
    pub async fn next(&mut self) -> Option<Step> {
        loop {
            if let Some(Search { fault, found }) = &mut self.search {
                let (fault, found) = (fault.clone(), found.await);
                self.search = None;
                match found {
                    Ok(successor) => self.go_on_with(successor),
                    Err(why) => return Some(Step::Broken(self.give_up(&fault, &why))),
                }
            }
            let wait = match self.state {
                State::Open => self.next_token_timeout,
                State::Finished => USAGE_TIMEOUT,
                State::Cut => return Some(Step::End(self.settle(Outcome::CreditUsedUp))),
                State::Settled => return None,
            };
            let finished = self.state == State::Finished;
            match self.answer.next_chunk(wait).await {
                Some(Ok(chunk)) => {
                    if let Some(piece) = self.take_in(chunk) {
                        return Some(Step::Chunk(piece));
                    }
                }
                Some(Err(_)) | None if finished => return Some(Step::End(self.settle(Outcome::Finished))),
                Some(Err(fault)) => self.seek(fault),
                None => self.seek(NodeFault::EndedEarly),
            }
        }
    }

    /// The node failed: begins to look for another that goes on from what the caller has.
    fn seek(&mut self, fault: NodeFault) {
        warn!(node = %self.seller.node, %fault, "an answer broke off");
        self.answer.blame();
        self.answer.leave();
        let delivered = match self.transcript.standing() {
            Standing::Nothing => Ok(None),
            Standing::Exactly(delivered) => Ok(Some(delivered)),
            Standing::Nowhere => Err(NoSuccessor("what was delivered cannot be gone on from exactly".to_owned())),
        };
        let found: BoxFuture<'static, _> = match delivered {
            Err(why) => Box::pin(std::future::ready(Err(why))),
            Ok(delivered) => {
                let (sold, part) = (self.sold.clone(), self.part());
                let delivered_tokens = sold.iter().chain([&part]).map(|sold| sold.counted.likely).sum();
                let sold: Vec<Sold> = sold.into_iter().chain([part]).collect();
                let cover = self.bill.cover(&sold, self.limit.saturating_sub(delivered_tokens));
                let failed = self.answer.candidate().clone();
                self.successors.find(HandOver { failed, delivered, cover })
            }
        };
        self.search = Some(Search { fault, found });
    }

    /// Another node goes on. What the one before delivered is its own to sell.
    fn go_on_with(&mut self, Successor { answer, seller }: Successor) {
        let part = self.part();
        info!(answer = %self.head.id, from = %self.seller.node, to = %seller.node, "another node goes on with an answer");
        if part.counted.most > 0 {
            self.sold.push(part);
        }
        self.head.provider = Some(seller.node.clone());
        (self.answer, self.seller, self.claimed) = (answer, seller, None);
    }

    /// What the present node has delivered: what is counted, less what those before delivered.
    fn part(&mut self) -> Sold {
        let before = |of: fn(&Counted) -> u64| self.sold.iter().map(|sold| of(&sold.counted)).sum::<u64>();
        let (most, likely) = (before(|counted| counted.most), before(|counted| counted.likely));
        let counted = Counted {
            most: self.count.total().saturating_sub(most),
            likely: self.count.likely().saturating_sub(likely),
        };
        Sold { seller: self.seller.clone(), counted }
    }

    /// Counts a chunk and makes it the gateway's own. None where there is nothing in it for the caller.
    fn take_in(&mut self, mut chunk: ChatChunk) -> Option<ChatChunk> {
        self.claimed = chunk.usage.take().or(self.claimed.take());
        if self.state == State::Finished {
            return None;
        }
        // A node that sends answers nobody asked for, or goes on after an end, has that dropped.
        chunk.choices.retain(|choice| self.count.add(choice));
        for choice in &mut chunk.choices {
            if self.count.is_over_limit(choice.index) && choice.finish_reason.is_none() {
                choice.finish_reason = Some(FinishReason::Length);
                self.count.finish(choice.index);
                self.was_cut = true;
            }
        }
        chunk.choices.retain_mut(|choice| self.transcript.add(choice));
        if self.count.all_finished() {
            self.state = if self.was_cut { State::Cut } else { State::Finished };
        }
        (!chunk.choices.is_empty()).then(|| ChatChunk { choices: chunk.choices, ..self.head.clone() })
    }

    fn give_up(&mut self, fault: &NodeFault, why: &NoSuccessor) -> ApiError {
        metrics::counter!("peerway_resumed_total", "result" => "none").increment(1);
        warn!(answer = %self.head.id, %why, "no node goes on with an answer");
        if self.delivery == Delivery::Whole {
            self.state = State::Settled;
            let message = format!("The answer broke off: {fault}. You were not charged; try again.");
            return ApiError::new(ErrorKind::NodeFailed, message);
        }
        let outcome = if matches!(fault, NodeFault::Silent) { Outcome::TimedOut } else { Outcome::NodeFailed };
        self.settle(outcome);
        let message = format!("The answer broke off: {fault}. Only what you received is charged.");
        ApiError::new(ErrorKind::StreamBroken, message)
    }

    fn settle(&mut self, outcome: Outcome) -> Usage {
        self.state = State::Settled;
        self.search = None;
        let last = self.part();
        if matches!(outcome, Outcome::Finished | Outcome::CreditUsedUp) {
            self.answer.praise(last.counted.likely / self.count.answers().max(1));
        }
        let usage = self.bill.settle(std::mem::take(&mut self.sold), last, self.claimed.as_ref(), outcome);
        if let Some(lesson) = self.lesson.take().filter(|_| outcome == Outcome::Finished) {
            lesson.learn(self.answer.candidate(), &usage);
        }
        metrics::counter!("peerway_answers_total", "outcome" => outcome.as_str()).increment(1);
        metrics::counter!("peerway_tokens_total", "kind" => "prompt").increment(usage.prompt_tokens);
        metrics::counter!("peerway_tokens_total", "kind" => "completion").increment(usage.completion_tokens);
        info!(
            answer = %self.head.id,
            model = %self.head.model,
            node = %self.seller.node,
            outcome = outcome.as_str(),
            prompt_tokens = usage.prompt_tokens,
            completion_tokens = usage.completion_tokens,
            cost_usd = usage.cost,
            "answer",
        );
        usage
    }
}

impl Drop for MeteredAnswer {
    fn drop(&mut self) {
        match self.state {
            State::Settled => {}
            State::Open => drop(self.settle(Outcome::CallerLeft)),
            State::Finished | State::Cut => drop(self.settle(Outcome::Finished)),
        }
    }
}
