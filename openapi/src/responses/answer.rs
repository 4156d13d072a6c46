//! Pieces of a chat answer into items and the events that tell of them.
//!
//! A chat answer is one message in which thoughts, text and calls are fields; here each is an item that begins and ends.
//! An item ends when one of another kind begins. Calls may come interleaved, so that a call ends early only where its
//! arguments are whole JSON, to which nothing can be added; the others end with the answer.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use super::part::ReasoningText;
use super::{EventKind, EventPart, ItemStatus, OutputItem, OutputLogprob, OutputPart, Response};
use crate::chat::{ChunkChoice, FinishReason, Role, ToolCallDelta};

/// The items of one answer, and what happened since that was last told.
#[derive(Debug)]
pub(super) struct Answer {
    id: String,
    wants_logprobs: bool,
    /// The response that the items are added to.
    pub response: Response,
    pub events: Vec<EventKind>,
    /// Why the model stopped. What comes after is dropped.
    pub finish: Option<FinishReason>,
    /// Places of calls among the items, by their index in the chat answer.
    calls: BTreeMap<u32, usize>,
    /// Log probabilities of tokens whose text has not come yet: a token may be half a character.
    pending: Vec<OutputLogprob>,
}

impl Answer {
    /// `id` is hexadecimal, and that of the response.
    pub(super) fn new(response: Response, id: &str, wants_logprobs: bool) -> Self {
        Self {
            id: id.to_owned(),
            wants_logprobs,
            response,
            events: Vec::new(),
            finish: None,
            calls: BTreeMap::new(),
            pending: Vec::new(),
        }
    }

    /// Adds the next piece.
    pub(super) fn push(&mut self, choice: ChunkChoice) {
        if self.finish.is_some() {
            return;
        }
        let text = choice.delta.content.unwrap_or_default();
        let thought = choice.delta.reasoning_content.unwrap_or_default();
        // Log probabilities of thoughts have no place in a response.
        if self.wants_logprobs && (thought.is_empty() || !text.is_empty()) {
            let tokens = choice.logprobs.and_then(|logprobs| logprobs.content).into_iter().flatten();
            self.pending.extend(tokens.map(OutputLogprob::from));
        }
        if !thought.is_empty() {
            self.think(thought);
        }
        if !text.is_empty() {
            self.say(text);
        }
        for delta in choice.delta.tool_calls.into_iter().flatten() {
            self.call(delta);
        }
        if let Some(finish) = choice.finish_reason {
            self.finish = Some(finish);
            self.close(last_status(finish));
        }
    }

    /// Ends all items that have not ended, the last of them in this way. Those before it had nothing more to come.
    pub(super) fn close(&mut self, last: ItemStatus) {
        let end = self.response.output.len();
        for place in 0..end {
            let status = if place + 1 == end { last } else { ItemStatus::Completed };
            self.close_item(place, status);
        }
    }

    /// Marks all items that have not ended as ended early, without an event.
    pub(super) fn abandon(&mut self) {
        for item in &mut self.response.output {
            if item.status() == ItemStatus::InProgress {
                item.set_status(ItemStatus::Incomplete);
            }
        }
    }

    /// Adds a message that says why the model refused.
    pub(super) fn refuse(&mut self, refusal: String) {
        let id = self.item_id("msg");
        let content = vec![OutputPart::Refusal { refusal }];
        self.response.output.push(OutputItem::Message {
            id,
            status: ItemStatus::Completed,
            role: Role::Assistant,
            content,
        });
    }

    fn think(&mut self, thought: String) {
        let is_open =
            matches!(self.response.output.last(), Some(OutputItem::Reasoning { status: ItemStatus::InProgress, .. }));
        if !is_open {
            let (id, status) = (self.item_id("rs"), ItemStatus::InProgress);
            let part = ReasoningText::new("");
            self.begin(OutputItem::Reasoning { id, summary: Vec::new(), content: Vec::new(), status });
            self.begin_part(EventPart::Thought(part.clone()));
            if let Some(OutputItem::Reasoning { content, .. }) = self.response.output.last_mut() {
                content.push(part);
            }
        }
        let output_index = self.response.output.len() - 1;
        if let Some(OutputItem::Reasoning { id, content, .. }) = self.response.output.last_mut()
            && let Some(part) = content.last_mut()
        {
            part.text.push_str(&thought);
            let item_id = id.clone();
            self.events.push(EventKind::ReasoningDelta { item_id, output_index, content_index: 0, delta: thought });
        }
    }

    fn say(&mut self, said: String) {
        let is_open =
            matches!(self.response.output.last(), Some(OutputItem::Message { status: ItemStatus::InProgress, .. }));
        if !is_open {
            let (id, status) = (self.item_id("msg"), ItemStatus::InProgress);
            let part = OutputPart::text("");
            self.begin(OutputItem::Message { id, status, role: Role::Assistant, content: Vec::new() });
            self.begin_part(EventPart::Said(part.clone()));
            if let Some(OutputItem::Message { content, .. }) = self.response.output.last_mut() {
                content.push(part);
            }
        }
        let output_index = self.response.output.len() - 1;
        let tokens = std::mem::take(&mut self.pending);
        if let Some(OutputItem::Message { id, content, .. }) = self.response.output.last_mut()
            && let Some(OutputPart::OutputText { text, logprobs, .. }) = content.last_mut()
        {
            text.push_str(&said);
            logprobs.extend(tokens.iter().cloned());
            let item_id = id.clone();
            let delta = EventKind::TextDelta { item_id, output_index, content_index: 0, delta: said, logprobs: tokens };
            self.events.push(delta);
        }
    }

    fn call(&mut self, delta: ToolCallDelta) {
        let function = delta.function.unwrap_or_default();
        let more = function.arguments.unwrap_or_default();
        let known = self.calls.get(&delta.index).copied();
        let output_index = known.unwrap_or_else(|| {
            let ordinal = self.calls.len();
            let id = format!("fc_{}_{ordinal}", self.id);
            let call_id = delta.id.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{}_{ordinal}", self.id));
            let (name, status) = (function.name.clone().unwrap_or_default(), ItemStatus::InProgress);
            self.begin(OutputItem::FunctionCall { id, call_id, name, arguments: String::new(), status });
            self.calls.insert(delta.index, self.response.output.len() - 1);
            self.response.output.len() - 1
        });
        let Some(OutputItem::FunctionCall { id, name, arguments, status: ItemStatus::InProgress, .. }) =
            self.response.output.get_mut(output_index)
        else {
            return;
        };
        if known.is_some() {
            name.push_str(&function.name.unwrap_or_default());
        }
        if !more.is_empty() {
            arguments.push_str(&more);
            let item_id = id.clone();
            self.events.push(EventKind::ArgumentsDelta { item_id, output_index, delta: more });
        }
    }

    /// Adds an item, after ending those to which nothing more can come.
    fn begin(&mut self, item: OutputItem) {
        let is_call = matches!(item, OutputItem::FunctionCall { .. });
        for place in 0..self.response.output.len() {
            let goes_on = match &self.response.output[place] {
                OutputItem::FunctionCall { arguments, .. } => is_call && !is_whole(arguments),
                OutputItem::Message { .. } | OutputItem::Reasoning { .. } => false,
            };
            if !goes_on {
                self.close_item(place, ItemStatus::Completed);
            }
        }
        self.events.push(EventKind::ItemAdded { output_index: self.response.output.len(), item: item.clone() });
        self.response.output.push(item);
    }

    fn begin_part(&mut self, part: EventPart) {
        let Some(item) = self.response.output.last() else { return };
        let (item_id, output_index) = (item.id().to_owned(), self.response.output.len() - 1);
        self.events.push(EventKind::PartAdded { item_id, output_index, content_index: 0, part });
    }

    fn close_item(&mut self, output_index: usize, status: ItemStatus) {
        let Some(item) = self.response.output.get_mut(output_index) else { return };
        if item.status() != ItemStatus::InProgress {
            return;
        }
        item.set_status(status);
        let (item_id, content_index) = (item.id().to_owned(), 0);
        let part = match item {
            OutputItem::Message { content, .. } => content.last_mut().map(|part| {
                if let OutputPart::OutputText { text, logprobs, .. } = part {
                    logprobs.append(&mut self.pending);
                    let (item_id, text, logprobs) = (item_id.clone(), text.clone(), logprobs.clone());
                    self.events.push(EventKind::TextDone { item_id, output_index, content_index, text, logprobs });
                }
                EventPart::Said(part.clone())
            }),
            OutputItem::Reasoning { content, .. } => content.last().map(|part| {
                let (item_id, text) = (item_id.clone(), part.text.clone());
                self.events.push(EventKind::ReasoningDone { item_id, output_index, content_index, text });
                EventPart::Thought(part.clone())
            }),
            OutputItem::FunctionCall { name, arguments, .. } => {
                let (item_id, name, arguments) = (item_id.clone(), name.clone(), arguments.clone());
                self.events.push(EventKind::ArgumentsDone { item_id, output_index, name, arguments });
                None
            }
        };
        if let Some(part) = part {
            self.events.push(EventKind::PartDone { item_id, output_index, content_index, part });
        }
        self.events.push(EventKind::ItemDone { output_index, item: item.clone() });
    }

    /// The first item of a kind has the response's id alone, later ones also their place.
    fn item_id(&self, kind: &str) -> String {
        let first = format!("{kind}_{}", self.id);
        if self.response.output.iter().any(|item| item.id() == first) {
            format!("{first}_{}", self.response.output.len())
        } else {
            first
        }
    }
}

/// How the last item ended where the model stopped for this reason.
pub(super) fn last_status(finish: FinishReason) -> ItemStatus {
    match finish {
        FinishReason::Stop | FinishReason::ToolCalls => ItemStatus::Completed,
        FinishReason::Length | FinishReason::ContentFilter => ItemStatus::Incomplete,
    }
}

/// Whether arguments are a JSON object to its end.
fn is_whole(arguments: &str) -> bool {
    arguments.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(arguments).is_ok()
}
