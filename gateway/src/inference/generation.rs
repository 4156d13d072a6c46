//! One request on its way: admitted, sent to one node after the other until one answers, and metered.
//!
//! What is in doubt between two steps is settled by a guard: the bill gives its hold back unless it is captured, and the
//! answer settles its bill when it is dropped. So a generation may be dropped anywhere.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use peerway_billing::{TokenCount, affordable_completion};
use peerway_openapi::chat::{Assembler, ChatCompletion};
use peerway_openapi::relay::ForNode;
use peerway_openapi::{ApiError, ErrorKind};

use super::admit::{self, Admission};
use super::estimate::Estimate;
use super::headers::{self, Served};
use super::twins::{Sought, Twins};
use super::{Ask, Caller, Work, internal};
use crate::catalog::CatalogModel;
use crate::dispatch::{Asking, Attempts, Dispatched, Most, dispatch};
use crate::media;
use crate::meter::{AnswerCount, Bill, Delivery, MeteredAnswer, Name, Step, Successor};
use crate::route::Requirement;

/// An admitted request.
#[derive(Debug)]
pub struct Generation {
    caller: Caller,
    work: Arc<Work>,
    delivery: Delivery,
    model: Arc<CatalogModel>,
    asking: Asking,
    requirements: Vec<Requirement>,
    longest_prompt: u64,
    attempts: Attempts,
    /// Tokens of the prompt, as the gateway counts them.
    prompt_tokens: u64,
    bill: Bill,
    gateway_time: Duration,
}

/// An answer that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Who serves and at which price.
    pub headers: HeaderMap,
    /// The answer, counted while it passes.
    pub answer: MeteredAnswer,
}

impl Generation {
    /// Estimates, picks and admits.
    ///
    /// # Errors
    /// Whatever rules the request out. Nothing is held then.
    pub async fn admit(caller: Caller, mut ask: Ask) -> Result<Self, ApiError> {
        let config = &caller.gateway.config;
        let model = admit::model(&caller, ask.work.model())?;
        if let Work::Chat(request) = &mut ask.work {
            media::settle(request, caller.gateway.fetcher.as_ref()).await?;
        }
        let estimate = Estimate::of(&ask, &model, config.default_max_tokens)?;
        let requirements = ask.work.requirements();
        let Admission { picks, dearest, bill } = admit::admit(&caller, &model, &estimate, &requirements).await?;
        let prompt = TokenCount::new(estimate.most_prompt(), 0, 0);
        let affordable = affordable_completion(&dearest, caller.gateway.fee, prompt, bill.held());
        let limit = (affordable / estimate.choices).min(estimate.completion);
        let most = Most { tokens: limit, answers: estimate.choices };
        // A single answer can be gone on with, where its tokens are known.
        let added = ForNode { token_ids: most.answers == 1, resume: None };
        let body =
            ask.work.for_nodes(limit, added).map_err(|cause| internal("a request could not be written", &cause))?;
        let first_token = Duration::from_secs(config.first_token_timeout_s);
        let asking = Asking { form: ask.work.form(), most, body, first_token };
        let gateway_time = caller.came.elapsed();
        metrics::histogram!("peerway_gateway_seconds").record(gateway_time);
        let attempts = Attempts::new(picks, Arc::clone(&caller.gateway.retries));
        Ok(Self {
            caller,
            work: Arc::new(ask.work),
            delivery: ask.delivery,
            model,
            asking,
            requirements,
            longest_prompt: estimate.longest_prompt,
            attempts,
            prompt_tokens: estimate.prompt,
            bill,
            gateway_time,
        })
    }

    /// Tokens of the prompt, as the gateway counts them.
    #[must_use]
    pub fn prompt_tokens(&self) -> u64 {
        self.prompt_tokens
    }

    /// Tries nodes until one begins to answer.
    ///
    /// # Errors
    /// The caller's own mistake where a node names one; otherwise that all are busy or failed.
    pub async fn begin(&mut self) -> Result<Begun, ApiError> {
        let gateway = &self.caller.gateway;
        let dispatched = dispatch(gateway.peers.client(), &mut self.attempts, &self.asking).await?;
        let Dispatched { pick, answer, queue_ms, failed_attempts } = dispatched;
        let seller = admit::seller(&pick)?;
        let headers = headers::of(&Served {
            node: &seller.node,
            price: &pick.price,
            queue_ms: queue_ms.unwrap_or(0),
            gateway_time: self.gateway_time,
            attempts: failed_attempts + 1,
        });
        let most = self.asking.most;
        let count = AnswerCount::new(&self.model.counter(), most.answers, most.tokens);
        let prefix = self.asking.form.id_prefix();
        let name = Name { id: self.caller.id, model: self.model.card.id.clone(), prefix };
        let patience = Duration::from_secs(gateway.config.next_token_timeout_s);
        let twins = Twins::new(Sought {
            gateway: Arc::clone(gateway),
            work: Arc::clone(&self.work),
            model: Arc::clone(&self.model),
            asking: self.asking.clone(),
            requirements: self.requirements.clone(),
            longest_prompt: self.longest_prompt,
        });
        let (begun, bill) = (Successor { answer, seller }, self.bill.take());
        let delivery = (self.delivery, patience);
        let answer = MeteredAnswer::new(begun, bill, (count, most), name, delivery, Box::new(twins));
        Ok(Begun { headers, answer })
    }

    /// The whole answer, with its usage. Where its node fails, another goes on with what there is of it; where none can, the
    /// caller has seen nothing, so that it costs nothing and another node may still give one from its beginning.
    ///
    /// # Errors
    /// As [`Self::begin`], and the last node's failure.
    pub async fn whole(mut self) -> Result<(HeaderMap, ChatCompletion), ApiError> {
        debug_assert_eq!(self.delivery, Delivery::Whole);
        loop {
            let Begun { headers, mut answer } = self.begin().await?;
            match assemble(&mut answer).await {
                Ok(completion) => return Ok((headers, completion)),
                Err(error) if self.attempts.are_used_up() => return Err(error),
                Err(_) => self.bill = answer.take_bill(),
            }
        }
    }
}

async fn assemble(answer: &mut MeteredAnswer) -> Result<ChatCompletion, ApiError> {
    let mut assembler = Assembler::default();
    loop {
        match answer.next().await {
            Some(Step::Chunk(chunk)) => assembler.push(chunk),
            Some(Step::Broken(error)) => return Err(error),
            None => return Err(ApiError::new(ErrorKind::NodeFailed, "The node's answer ended early. Try again.")),
            Some(Step::End(usage)) => {
                let whole = assembler.finish();
                let whole = whole.map_err(|cause| internal("an answer ended without its end", &cause))?;
                let provider = answer.head().provider.clone();
                return Ok(ChatCompletion { usage: Some(usage), provider, ..whole });
            }
        }
    }
}
