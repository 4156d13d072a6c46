//! A node's answer, with the times that are kept of it.

use std::time::Duration;

use peerway_openapi::chat::ChatChunk;
use peerway_p2p::{Candidate, ResponseBody, Visit};
use tokio::time::Instant;

use super::attempts::Failed;
use super::events::Events;
use super::form::Most;
use super::pace::Pace;
use super::patience::Pauses;
use super::{Form, NodeFault};

/// A node's answer as it arrives.
#[derive(Debug)]
pub struct NodeAnswer {
    candidate: Candidate,
    /// None once it is over.
    events: Option<Events<ResponseBody>>,
    /// The first piece, awaited before the caller was answered.
    first: Option<ChatChunk>,
    /// Since when the next piece is awaited. None: it is not.
    awaited: Option<Instant>,
    pauses: Pauses,
    pace: Pace,
    /// None once it is over, as `events` are.
    in_flight: Option<InFlight>,
}

/// Counts a request at its node until it is over.
#[derive(Debug)]
pub(super) struct InFlight {
    _visit: Visit,
}

impl InFlight {
    /// Fails where the node rests after a failure, or is being tried after one: it may have begun to since it was picked.
    pub(super) fn at(candidate: &Candidate) -> Result<Self, Failed> {
        let why = "it rests after a failure, or another request is trying it";
        let visit = candidate.visit().ok_or_else(|| Failed::Node { busy: true, why: why.to_owned() })?;
        Ok(Self { _visit: visit })
    }
}

impl NodeAnswer {
    /// Reads an answer's body.
    pub(super) fn new(candidate: Candidate, body: ResponseBody, form: Form, most: Most, in_flight: InFlight) -> Self {
        Self {
            events: Some(Events::new(body, form, most)),
            candidate,
            first: None,
            awaited: None,
            pauses: Pauses::default(),
            pace: Pace::default(),
            in_flight: Some(in_flight),
        }
    }

    /// Waits for the first piece and keeps it.
    pub(super) async fn await_first(&mut self, deadline: Instant) -> Result<(), NodeFault> {
        match self.read_chunk(deadline).await {
            Some(Ok(chunk)) => {
                self.first = Some(chunk);
                Ok(())
            }
            Some(Err(fault)) => Err(fault),
            None => Err(NodeFault::EndedEarly),
        }
    }

    /// The next piece. None after `[DONE]`, or where the body ended without it. The node may take as long as its answer so
    /// far allows, and never longer than `most`; who stops waiting in between does not give it more time.
    pub async fn next_chunk(&mut self, most: Duration) -> Option<Result<ChatChunk, NodeFault>> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        let since = *self.awaited.get_or_insert_with(Instant::now);
        let chunk = self.read_chunk(since + self.pauses.patience(most)).await;
        self.pauses.add(since.elapsed());
        chunk
    }

    async fn read_chunk(&mut self, deadline: Instant) -> Option<Result<ChatChunk, NodeFault>> {
        let events = self.events.as_mut()?;
        let asked = Instant::now();
        let next = events.next(&self.candidate.offer().id);
        let next = tokio::time::timeout_at(deadline, next).await.unwrap_or(Err(NodeFault::Silent));
        self.awaited = None;
        self.pace.waited(asked, Instant::now());
        if !matches!(next, Ok(Some(_)))
            && let Some(events) = self.events.take()
            && next.is_ok()
        {
            // All that matters has come: the stream can take the next request.
            events.into_body().recycle();
        }
        next.transpose()
    }

    /// The node that answers.
    #[must_use]
    pub fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// Lets go of the node at once: it stops, and its place is free.
    pub fn leave(&mut self) {
        self.events = None;
        self.in_flight = None;
    }

    /// Remembers that this node failed, so that it is left alone for a while.
    pub fn blame(&self) {
        self.candidate.health().failed();
    }

    /// Remembers that this node gave a whole answer of so many tokens, and how fast.
    pub fn praise(&self, tokens: u64) {
        self.candidate.health().served();
        if let Some(speed) = self.pace.tokens_per_second_milli(tokens) {
            self.candidate.health().measured_speed(speed);
        }
    }
}
