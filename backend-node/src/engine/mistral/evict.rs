//! Makes mistral.rs drop its prefix cache.
//!
//! There is no call for it. What does it is a step that fails: mistral.rs then starts over with empty caches. So a request
//! is sent that must call a tool and has one token to do it in. It costs one short prompt. Starting the engine anew was
//! rejected: every start leaves a thread behind for good.

use std::sync::Arc;

use mistralrs::{Constraint, Function, MistralRs, NormalRequest, Request, SamplingParams, Tool, ToolChoice, ToolType};
use tokio::sync::mpsc;

use super::prompt::Prompt;

/// Drops everything that is kept. Nothing else may run meanwhile: it would fail too.
pub(super) async fn evict_all(runner: &Arc<MistralRs>) {
    let Ok(sender) = runner.get_sender(None) else { return };
    let function = Function { description: None, name: "none".to_owned(), parameters: None };
    let tool = Tool { tp: ToolType::Function, function };
    let (response, mut messages) = mpsc::channel(4);
    let request = NormalRequest {
        messages: Prompt::Chat(Prompt::probe()).into_message(),
        sampling_params: SamplingParams { max_len: Some(1), ..SamplingParams::deterministic() },
        response,
        return_logprobs: false,
        is_streaming: true,
        id: runner.next_request_id(),
        constraint: Constraint::None,
        suffix: None,
        tools: Some(vec![tool.clone()]),
        tool_choice: Some(ToolChoice::Tool(tool)),
        logits_processors: None,
        return_raw_logits: false,
        web_search_options: None,
        model_id: None,
        truncate_sequence: false,
    };
    if sender.send(Request::Normal(Box::new(request))).await.is_ok() {
        while messages.recv().await.is_some() {}
    }
}
