//! One request on its way: admitted, sent to one node after the other until one answers, and metered.
//!
//! What is in doubt between two steps is settled by a guard: the bill gives its hold back unless it is captured, and the
//! answer settles its bill when it is dropped. So a generation may be dropped anywhere.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use peerway_openapi::chat::{Assembler, ChatCompletion};
use peerway_openapi::{ApiError, ErrorKind};

use super::admit;
use super::headers::{self, Served};
use super::plan::{Plan, falls_back};
use super::prepare::{Prepared, prepare};
use super::twins::{Sought, Twins};
use super::{Ask, Caller, Work, internal};
use crate::dispatch::{Dispatched, dispatch};
use crate::media;
use crate::meter::{AnswerCount, Delivery, MeteredAnswer, Name, Step, Successor};

/// An admitted request.
#[derive(Debug)]
pub struct Generation {
    caller: Caller,
    ask: Ask,
    /// As its present model's nodes are asked.
    prepared: Prepared,
    /// Models to fall back on.
    plan: Plan,
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
        let (others, provider) = ask.work.routing();
        let mut plan = Plan::of(&caller, ask.work.model(), others, provider)?;
        if let Work::Chat(request) = &mut ask.work {
            media::settle(request, caller.gateway.fetcher.as_ref()).await?;
        }
        let prepared = prepare(&caller, &ask, &mut plan).await?;
        let gateway_time = caller.came.elapsed();
        metrics::histogram!("peerway_gateway_seconds").record(gateway_time);
        Ok(Self { caller, ask, prepared, plan, gateway_time })
    }

    /// Turns to the next model of the caller's list that can be asked.
    async fn fall_back(&mut self) -> Result<(), ApiError> {
        // What was set aside for this model goes back before anything is for the next.
        drop(self.prepared.bill.take());
        self.prepared = prepare(&self.caller, &self.ask, &mut self.plan).await?;
        Ok(())
    }

    /// The headers of an answer whose head must go out before any node has begun.
    #[must_use]
    pub fn early_headers(&self) -> HeaderMap {
        headers::early(self.prepared.explanation.as_ref())
    }

    /// The catalog's id of the model that is to serve. It may yet be another, where this one's nodes fail.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.prepared.model.card.id
    }

    /// Tokens of the prompt, as the gateway counts them.
    #[must_use]
    pub fn prompt_tokens(&self) -> u64 {
        self.prepared.estimate.prompt
    }

    /// Tries nodes until one begins to answer: those of the model that was asked for, then those of the models to fall
    /// back on.
    ///
    /// # Errors
    /// The caller's own mistake where a node names one; otherwise that all are busy or failed.
    pub async fn begin(&mut self) -> Result<Begun, ApiError> {
        loop {
            match self.begin_with_model().await {
                Err(error) if falls_back(&error) && !self.plan.is_empty() => match self.fall_back().await {
                    Err(next) if falls_back(&next) => return Err(error),
                    turned => turned?,
                },
                decided => return decided,
            }
        }
    }

    async fn begin_with_model(&mut self) -> Result<Begun, ApiError> {
        let gateway = &self.caller.gateway;
        let Prepared { model, asking, attempts, bill, lesson, explanation, .. } = &mut self.prepared;
        let dispatched = dispatch(gateway.peers.client(), attempts, asking).await?;
        let Dispatched { pick, answer, queue_ms, attempts } = dispatched;
        let seller = admit::seller(&pick)?;
        let headers = headers::of(&Served {
            node: &seller.node,
            price: &pick.price,
            queue_ms: queue_ms.unwrap_or(0),
            gateway_time: self.gateway_time,
            attempts,
            explanation: explanation.as_ref(),
        });
        let most = asking.most;
        let count = AnswerCount::new(&model.counter(), most.answers, most.tokens);
        let name = Name { id: self.caller.id, model: model.card.id.clone(), prefix: asking.form.id_prefix() };
        let delivery = (self.ask.delivery, Duration::from_secs(gateway.config.next_token_timeout_s));
        let (begun, bill, lesson) = (Successor { answer, seller }, bill.take(), Arc::clone(lesson));
        let twins = Twins::new(Sought {
            gateway: Arc::clone(gateway),
            model: Arc::clone(model),
            asking: asking.clone(),
            requirements: Arc::clone(&self.prepared.requirements),
            wishes: Arc::clone(&self.prepared.wishes),
            estimate: self.prepared.estimate,
        });
        let answer = MeteredAnswer::new(begun, bill, (count, most), name, delivery, Box::new(twins));
        let answer = answer.teaching(lesson);
        Ok(Begun { headers, answer })
    }

    /// The whole answer, with its usage. Where its node fails, another goes on with what there is of it; where none can, the
    /// caller has seen nothing, so that it costs nothing and another node may still give one from its beginning.
    ///
    /// # Errors
    /// As [`Self::begin`], and the last node's failure.
    pub async fn whole(mut self) -> Result<(HeaderMap, ChatCompletion), ApiError> {
        debug_assert_eq!(self.ask.delivery, Delivery::Whole);
        loop {
            let Begun { headers, mut answer } = self.begin().await?;
            match assemble(&mut answer).await {
                Ok(completion) => return Ok((headers, completion)),
                Err(error) if self.prepared.attempts.are_used_up() => return Err(error),
                Err(_) => self.prepared.bill = answer.take_bill(),
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
