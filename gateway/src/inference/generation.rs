//! One request on its way: admitted, sent to one node after the other until one answers, and metered.
//!
//! What is in doubt between two steps is settled by a guard: the bill gives its hold back unless it is captured, and the
//! answer settles its bill when it is dropped. So a generation may be dropped anywhere.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use peerway_openapi::chat::{Assembler, ChatCompletion};
use peerway_openapi::{ApiError, ErrorKind};

use super::admit;
use super::headers::{self, Served};
use super::plan::{Plan, falls_back};
use super::prepare::{Prepared, prepare};
use super::{Ask, Caller, Work, internal};
use crate::catalog::CatalogModel;
use crate::dispatch::{Attempts, Dispatched, Most, Timeouts, dispatch};
use crate::media;
use crate::meter::{AnswerCount, Bill, Delivery, MeteredAnswer, Name, Step};
use crate::route::Lesson;

/// An admitted request.
#[derive(Debug)]
pub struct Generation {
    caller: Caller,
    ask: Ask,
    model: Arc<CatalogModel>,
    /// The request as nodes get it.
    sent: Bytes,
    attempts: Attempts,
    /// Tokens of the prompt, as the gateway counts them.
    prompt_tokens: u64,
    /// The most tokens of one answer, as the credit reaches.
    limit: u64,
    choices: u64,
    bill: Bill,
    /// What the answer teaches.
    lesson: Arc<Lesson>,
    /// Why these nodes, where the caller asked.
    explanation: Option<HeaderValue>,
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
        let Prepared { model, sent, attempts, prompt_tokens, limit, choices, bill, lesson, explanation } = prepared;
        Ok(Self {
            caller,
            ask,
            model,
            sent,
            attempts,
            prompt_tokens,
            limit,
            choices,
            bill,
            lesson,
            explanation,
            plan,
            gateway_time,
        })
    }

    /// Turns to the next model of the caller's list that can be asked.
    async fn fall_back(&mut self) -> Result<(), ApiError> {
        // What was set aside for this model goes back before anything is for the next.
        drop(self.bill.take());
        let prepared = prepare(&self.caller, &self.ask, &mut self.plan).await?;
        let Prepared { model, sent, attempts, prompt_tokens, limit, choices, bill, lesson, explanation } = prepared;
        (self.model, self.sent, self.attempts) = (model, sent, attempts);
        (self.prompt_tokens, self.limit, self.choices) = (prompt_tokens, limit, choices);
        (self.bill, self.lesson, self.explanation) = (bill, lesson, explanation);
        Ok(())
    }

    /// The headers of an answer whose head must go out before any node has begun.
    #[must_use]
    pub fn early_headers(&self) -> HeaderMap {
        headers::early(self.explanation.as_ref())
    }

    /// The catalog's id of the model that is to serve. It may yet be another, where this one's nodes fail.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model.card.id
    }

    /// Tokens of the prompt, as the gateway counts them.
    #[must_use]
    pub fn prompt_tokens(&self) -> u64 {
        self.prompt_tokens
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
        let timeouts = Timeouts { first_token: Duration::from_secs(gateway.config.first_token_timeout_s) };
        let form = self.ask.work.form();
        let most = Most { tokens: self.limit, answers: self.choices };
        let client = gateway.peers.client();
        let dispatched = dispatch(client, &mut self.attempts, (form, most), &self.sent, timeouts).await?;
        let Dispatched { pick, answer, queue_ms, failed_attempts } = dispatched;
        let seller = admit::seller(&pick)?;
        let headers = headers::of(&Served {
            node: &seller.node,
            price: &pick.price,
            queue_ms: queue_ms.unwrap_or(0),
            gateway_time: self.gateway_time,
            attempts: failed_attempts + 1,
            explanation: self.explanation.as_ref(),
        });
        let count = AnswerCount::new(&self.model.counter(), self.choices, self.limit);
        let name = Name { id: self.caller.id, model: self.model.card.id.clone(), prefix: form.id_prefix() };
        let patience = Duration::from_secs(gateway.config.next_token_timeout_s);
        let bill = self.bill.take();
        let answer = MeteredAnswer::new(answer, seller, bill, count, name, (self.ask.delivery, patience));
        let answer = answer.teaching(Arc::clone(&self.lesson));
        Ok(Begun { headers, answer })
    }

    /// The whole answer, with its usage. The caller sees nothing before its end, so an answer that breaks costs nothing,
    /// and another node may still give one.
    ///
    /// # Errors
    /// As [`Self::begin`], and the last node's failure.
    pub async fn whole(mut self) -> Result<(HeaderMap, ChatCompletion), ApiError> {
        debug_assert_eq!(self.ask.delivery, Delivery::Whole);
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
