//! Reads prompts as tokens, with the engine's own tokenizer and template.

use std::sync::Arc;

use either::Either;
use mistralrs::core::TokenizationRequest;
use mistralrs::{MistralRs, Request};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::prompt::Prompt;
use super::thinking::Thinking;
use super::{BROKE, EngineError};

/// Asks the engine for tokens.
pub(super) struct Tokenizer {
    runner: Arc<MistralRs>,
    /// Bounds the prompts being read whose callers may have left already.
    readers: Arc<Semaphore>,
}

/// Hands a request to the engine.
pub(super) async fn send(runner: &Arc<MistralRs>, request: Request) -> Result<(), EngineError> {
    let sender = runner.get_sender(None).map_err(|error| EngineError::node(BROKE, error.to_string()))?;
    let sent = sender.send(request).await;
    sent.map_err(|_closed| EngineError::node(BROKE, "the engine's thread has ended"))
}

impl Tokenizer {
    /// For this engine, in which so many requests run.
    pub(super) fn new(runner: Arc<MistralRs>, slots: usize) -> Self {
        Self { runner, readers: Arc::new(Semaphore::new(slots.saturating_mul(2).max(2))) }
    }

    /// Tokens of a prompt.
    pub(super) async fn read(&self, prompt: Prompt) -> Result<Vec<u32>, EngineError> {
        let field = prompt.field();
        let (text, tools, thinking) = match prompt {
            Prompt::Tokens(tokens) => return Ok(tokens),
            Prompt::Text(text) => (Either::Right(text), None, Thinking::default()),
            Prompt::Chat(conversation) => {
                (Either::Left(conversation.messages), conversation.tools, conversation.thinking)
            }
        };
        // mistral.rs's engine panics where the asker has left. So the asking is a task of its own that never leaves.
        let permit = self.readers.clone().acquire_owned().await;
        let (answered, answer) = oneshot::channel();
        let runner = self.runner.clone();
        tokio::spawn(async move {
            let (response, mut tokens) = mpsc::channel(1);
            let request = TokenizationRequest {
                text,
                tools,
                add_generation_prompt: true,
                add_special_tokens: true,
                enable_thinking: thinking.enable,
                reasoning_effort: thinking.effort,
                response,
            };
            let asked = send(&runner, Request::Tokenize(request)).await;
            let read = if asked.is_ok() { tokens.recv().await } else { None };
            let _left = answered.send(read);
            drop(permit);
        });
        match answer.await {
            Ok(Some(Ok(tokens))) => Ok(tokens),
            Ok(Some(Err(error))) => {
                let message = format!("`{field}` cannot be put into the model's words: {}", first_line(&error));
                Err(EngineError::bad_param(field, message))
            }
            Ok(None) | Err(_) => Err(EngineError::node(BROKE, "the engine's thread ended while reading a prompt")),
        }
    }
}

fn first_line(error: &anyhow::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().chars().take(300).collect()
}
