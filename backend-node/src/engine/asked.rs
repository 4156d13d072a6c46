//! What is asked of an engine and answered in chunks.
//!
//! Queueing, measuring, several choices and streaming are the same whatever was asked, so they are written once, over this.

use peerway_openapi::chat::ChatRequest;
use peerway_openapi::completions::{CompletionRequest, Prompts};

/// A request that is answered in chunks.
#[derive(Debug, Clone)]
pub enum Asked {
    /// A conversation to go on with.
    Chat(Box<ChatRequest>),
    /// Texts to go on with, `n` choices each: those of the first prompt come first.
    Completion(Box<CompletionRequest>),
}

impl From<ChatRequest> for Asked {
    fn from(request: ChatRequest) -> Self {
        Self::Chat(Box::new(request))
    }
}

impl From<CompletionRequest> for Asked {
    fn from(request: CompletionRequest) -> Self {
        Self::Completion(Box::new(request))
    }
}

impl Asked {
    /// The public id of the model.
    #[must_use]
    pub fn model(&self) -> &str {
        match self {
            Self::Chat(request) => &request.model,
            Self::Completion(request) => &request.model,
        }
    }

    /// Choices wanted, at least one.
    #[must_use]
    pub fn choices(&self) -> u32 {
        match self {
            Self::Chat(request) => request.choices().max(1),
            Self::Completion(request) => request.choices().max(1),
        }
    }

    /// Whether the answer is to be streamed.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        match self {
            Self::Chat(request) => request.is_stream(),
            Self::Completion(request) => request.is_stream(),
        }
    }

    /// Whether the stream ends with a usage chunk.
    #[must_use]
    pub fn wants_usage_chunk(&self) -> bool {
        match self {
            Self::Chat(request) => request.wants_usage_chunk(),
            Self::Completion(request) => request.wants_usage_chunk(),
        }
    }

    /// One choice as a request of its own, streamed. A caller's seed counts up from choice to choice of a prompt: the same
    /// seed for all would give the same answer for all.
    pub(super) fn choice(&self, index: u32) -> Self {
        let seeded = |seed: Option<i64>, choice: u32| seed.map(|seed| seed.wrapping_add(i64::from(choice)));
        match self {
            Self::Chat(request) => {
                let seed = seeded(request.seed, index);
                ChatRequest { n: None, seed, stream: Some(true), ..request.as_ref().clone() }.into()
            }
            Self::Completion(request) => {
                let each = request.answers_each().max(1);
                let place = usize::try_from(index / each).unwrap_or(usize::MAX);
                let prompt = Prompts(request.prompt.0.get(place).cloned().into_iter().collect());
                // Field by field: a copy of all prompts for each choice would be their number squared.
                CompletionRequest {
                    model: request.model.clone(),
                    prompt,
                    stream: Some(true),
                    stream_options: request.stream_options,
                    max_tokens: request.max_tokens,
                    n: None,
                    best_of: None,
                    echo: request.echo,
                    logprobs: request.logprobs,
                    stop: request.stop.clone(),
                    temperature: request.temperature,
                    top_p: request.top_p,
                    top_k: request.top_k,
                    min_p: request.min_p,
                    repetition_penalty: request.repetition_penalty,
                    frequency_penalty: request.frequency_penalty,
                    presence_penalty: request.presence_penalty,
                    logit_bias: request.logit_bias.clone(),
                    seed: seeded(request.seed, index % each),
                    response_format: request.response_format.clone(),
                    provider: None,
                    models: None,
                    suffix: None,
                    peerway: request.peerway.clone(),
                }
                .into()
            }
        }
    }

    /// Whether a choice is the first that reads its prompt. The others read it too, but a prompt is paid once.
    pub(super) fn is_first_of_prompt(&self, index: u32) -> bool {
        match self {
            Self::Chat(_) => index == 0,
            Self::Completion(request) => index.is_multiple_of(request.answers_each().max(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use peerway_openapi::completions::Prompt;

    use super::*;

    #[test]
    fn choices_count_prompt_by_prompt_and_seeds_count_up() {
        let request: CompletionRequest =
            serde_json::from_str(r#"{"model":"m","prompt":["a","b"],"n":2,"seed":7,"stop":"x"}"#).unwrap();
        let asked = Asked::from(request);
        assert_eq!(asked.choices(), 4);
        let found: Vec<_> = (0..4)
            .map(|index| {
                let Asked::Completion(choice) = asked.choice(index) else { panic!("another kind") };
                assert_eq!((choice.choices(), choice.is_stream(), choice.stop.is_some()), (1, true, true));
                (choice.prompt.0[0].clone(), choice.seed, asked.is_first_of_prompt(index))
            })
            .collect();
        let text = |text: &str| Prompt::Text(text.to_owned());
        let expected = [
            (text("a"), Some(7), true),
            (text("a"), Some(8), false),
            (text("b"), Some(7), true),
            (text("b"), Some(8), false),
        ];
        assert_eq!(found, expected);
    }
}
