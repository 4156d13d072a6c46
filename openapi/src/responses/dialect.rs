//! The answer as a response and its events.
//!
//! Both forms are made by the same state machine, so that a streamed response ends as the whole one would have been.

use bytes::Bytes;

use super::answer::{Answer, last_status};
use super::translate::renamed;
use super::{CreateResponse, EventKind, IncompleteDetails, Response, ResponseError, ResponseEvent};
use super::{ResponseStatus, ResponseUsage};
use crate::ApiError;
use crate::chat::{ChatChunk, ChatCompletion, ChunkChoice, Delta, FinishReason, FunctionCallDelta, ToolCallDelta};
use crate::dialect::{Dialect, Unwritable};
use crate::usage::Usage;

/// Tells an answer to who asked `POST /v1/responses`, and keeps the response for who asks later.
#[derive(Debug)]
pub struct ResponsesDialect {
    answer: Answer,
    /// The next event's number.
    sequence: u64,
    is_open: bool,
    finished_at: Option<i64>,
}

impl ResponsesDialect {
    /// `id` is hexadecimal and becomes `resp_…`, and part of the ids of all items; `created_at` is in seconds since 1970.
    #[must_use]
    pub fn new(request: &CreateResponse, id: &str, created_at: i64) -> Self {
        Self {
            answer: Answer::new(Response::new(request, format!("resp_{id}"), created_at), id, request.wants_logprobs()),
            sequence: 0,
            is_open: false,
            finished_at: None,
        }
    }

    /// The response as far as it came.
    #[must_use]
    pub fn response(&self) -> &Response {
        &self.answer.response
    }

    /// The response waits for its turn. Opening the stream says so, and ends the wait.
    pub fn queued(&mut self) {
        if !self.answer.response.status.is_final() {
            self.answer.response.status = ResponseStatus::Queued;
        }
    }

    /// When the answer was whole, in seconds since 1970. To be said before it is: a dialect has no clock.
    pub fn finished_at(&mut self, seconds: i64) {
        self.finished_at = Some(seconds);
    }

    /// What was consumed by a response that did not end as it should.
    pub fn bill(&mut self, usage: Usage) {
        self.answer.response.usage = Some(ResponseUsage::from(usage));
    }

    /// The caller cancelled the response. Changes nothing where it has ended.
    pub fn cancel(&mut self) {
        self.stop(ResponseStatus::Cancelled, None);
    }

    /// The response failed. Changes nothing where it has ended.
    pub fn fail(&mut self, error: &ApiError) {
        self.stop(ResponseStatus::Failed, Some(ResponseError::from(error)));
    }

    fn stop(&mut self, status: ResponseStatus, error: Option<ResponseError>) {
        if self.answer.response.status.is_final() {
            return;
        }
        self.answer.abandon();
        self.answer.response.status = status;
        self.answer.response.error = error;
    }

    /// Ends the answer as its finish reason has it. None: it was done.
    fn complete(&mut self, usage: Option<Usage>) {
        let finish = self.answer.finish.unwrap_or(FinishReason::Stop);
        self.answer.close(last_status(finish));
        self.answer.response.usage = usage.map(ResponseUsage::from);
        let reason = match finish {
            FinishReason::Length => "max_output_tokens",
            FinishReason::ContentFilter => "content_filter",
            FinishReason::Stop | FinishReason::ToolCalls => {
                self.answer.response.status = ResponseStatus::Completed;
                self.answer.response.completed_at = self.finished_at;
                return;
            }
        };
        self.answer.response.status = ResponseStatus::Incomplete;
        self.answer.response.incomplete_details = Some(IncompleteDetails { reason: reason.to_owned() });
    }

    /// Whether it was cancelled or has ended: what the node still says changes nothing.
    fn is_over(&self) -> bool {
        self.answer.response.status.is_final()
    }

    /// An event with the response as it is.
    fn state(&self, event: impl FnOnce(Box<Response>) -> EventKind) -> EventKind {
        event(Box::new(self.answer.response.clone()))
    }

    /// The frames of these events, numbered on.
    fn write(&mut self, events: Vec<EventKind>) -> Result<Bytes, Unwritable> {
        let mut frames = Vec::new();
        for kind in events {
            let event = ResponseEvent { kind, sequence_number: self.sequence };
            self.sequence += 1;
            frames.push(event.frame()?);
        }
        Ok(Bytes::from(frames.concat()))
    }

    fn told(&mut self) -> Vec<EventKind> {
        std::mem::take(&mut self.answer.events)
    }
}

impl Dialect for ResponsesDialect {
    fn whole(&mut self, answer: ChatCompletion) -> Result<Bytes, Unwritable> {
        if answer.provider.is_some() {
            self.answer.response.provider = answer.provider;
        }
        if let Some(choice) = answer.choices.into_iter().find(|choice| choice.index == 0) {
            let calls = choice.message.tool_calls.map(|calls| {
                let deltas = (0..).zip(calls).map(|(index, call)| {
                    let function =
                        FunctionCallDelta { name: Some(call.function.name), arguments: Some(call.function.arguments) };
                    ToolCallDelta { index, id: Some(call.id), kind: None, function: Some(function) }
                });
                deltas.collect()
            });
            let delta = Delta {
                role: None,
                content: choice.message.content,
                reasoning_content: choice.message.reasoning_content,
                tool_calls: calls,
            };
            let finish_reason = Some(choice.finish_reason);
            self.answer.push(ChunkChoice {
                index: 0,
                delta,
                finish_reason,
                logprobs: choice.logprobs,
                stop_reason: None,
                token_ids: None,
            });
            if let Some(refusal) = choice.message.refusal {
                self.answer.refuse(refusal);
            }
        }
        self.complete(answer.usage);
        self.answer.events.clear();
        serde_json::to_vec(&self.answer.response).map(Bytes::from)
    }

    fn serves(&mut self, model: &str) {
        model.clone_into(&mut self.answer.response.model);
    }

    fn open(&mut self) -> Result<Bytes, Unwritable> {
        if std::mem::replace(&mut self.is_open, true) {
            return Ok(Bytes::new());
        }
        let mut events = vec![self.state(|response| EventKind::Created { response })];
        if self.answer.response.status == ResponseStatus::Queued {
            events.push(self.state(|response| EventKind::Queued { response }));
            self.answer.response.status = ResponseStatus::InProgress;
        }
        events.push(self.state(|response| EventKind::InProgress { response }));
        self.write(events)
    }

    fn piece(&mut self, chunk: ChatChunk) -> Result<Bytes, Unwritable> {
        if self.is_over() {
            return Ok(Bytes::new());
        }
        let opening = self.open()?;
        if chunk.provider.is_some() {
            self.answer.response.provider = chunk.provider;
        }
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            self.answer.push(choice);
        }
        let events = self.told();
        Ok(Bytes::from([opening, self.write(events)?].concat()))
    }

    fn end(&mut self, usage: Usage) -> Result<Bytes, Unwritable> {
        if self.is_over() {
            return Ok(Bytes::new());
        }
        let opening = self.open()?;
        self.complete(Some(usage));
        let mut events = self.told();
        events.push(match self.answer.response.status {
            ResponseStatus::Incomplete => self.state(|response| EventKind::Incomplete { response }),
            _ => self.state(|response| EventKind::Completed { response }),
        });
        Ok(Bytes::from([opening, self.write(events)?].concat()))
    }

    fn broken(&mut self, error: &ApiError) -> Result<Bytes, Unwritable> {
        let opening = self.open()?;
        self.fail(error);
        if self.answer.response.status != ResponseStatus::Failed {
            return Ok(opening);
        }
        let event = self.state(|response| EventKind::Failed { response });
        Ok(Bytes::from([opening, self.write(vec![event])?].concat()))
    }

    fn refusal(&self, error: &ApiError) -> http::Response<Bytes> {
        renamed(error.clone()).response()
    }
}
