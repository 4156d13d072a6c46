//! A checked request in mistral.rs's words.

use std::sync::Arc;

use mistralrs::SamplingParams;
use peerway_openapi::chat::ChatRequest;
use peerway_openapi::completions::CompletionRequest;
use peerway_openapi::relay::ForNode;

use super::EngineError;
use super::chooser::Chooser;
use super::draw::Sampling;
use super::prompt::Prompt;
use super::shape::{self, Shape};
use super::thinking::Reactions;
use crate::engine::{capability, media};

/// A request in mistral.rs's words.
pub(super) struct Translated {
    pub(super) prompt: Prompt,
    pub(super) sampling: SamplingParams,
    pub(super) chooser: Arc<Chooser>,
    /// None: the answer may have any.
    pub(super) shape: Option<Shape>,
    pub(super) stops: Vec<String>,
    pub(super) wants_logprobs: bool,
    /// The caller's limit on tokens.
    pub(super) limit: usize,
    /// Tool calls that the answer may have.
    pub(super) most_calls: usize,
    /// What a gateway adds.
    pub(super) added: ForNode,
}

/// What the model's chat template can show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Follows {
    pub(super) tools: bool,
    pub(super) thinking: Reactions,
}

impl Follows {
    /// What this engine follows beyond the usual parameters.
    pub(super) fn capabilities(self) -> Vec<String> {
        let all = capability::ALL.into_iter().filter(|&name| self.tools || name != capability::TOOLS);
        all.chain(self.thinking.any().then_some(capability::REASONING_EFFORT)).map(str::to_owned).collect()
    }
}

impl Translated {
    /// Refuses what this engine and its model cannot follow.
    pub(super) fn of_chat(request: &ChatRequest, follows: Follows) -> Result<Self, EngineError> {
        media::refuse(request, false, false)?;
        let thinking = follows.thinking.follow(request.reasoning_effort)?;
        let tools = shape::offered_tools(request)?;
        if !tools.is_empty() && !follows.tools {
            return Err(EngineError::bad_param("tools", "This model's chat template has no place for tools."));
        }
        let shape = shape::of_chat(request, &tools)?;
        let shown: Vec<_> = tools.iter().map(|(_, tool)| *tool).collect();
        Self::new(Prompt::of_chat(request, &shown, thinking), request, shape)
    }

    /// As [`Self::of_chat`].
    pub(super) fn of_completion(request: CompletionRequest) -> Result<Self, EngineError> {
        let settings = request.settings();
        let shape = shape::of_format(settings.response_format.as_ref())?;
        Self::new(Prompt::of_completion(request)?, &settings, shape)
    }

    fn new(prompt: Prompt, settings: &ChatRequest, shape: Option<Shape>) -> Result<Self, EngineError> {
        if settings.choices() != 1 {
            return Err(EngineError::bad_param("n", "This engine makes one choice at a time; its gate asks for each."));
        }
        let limit = settings.max_generated().and_then(|limit| usize::try_from(limit.tokens).ok());
        Ok(Self {
            prompt,
            sampling: penalties(settings),
            chooser: chooser(settings),
            shape,
            stops: settings.stop.clone().map(|stop| stop.0).unwrap_or_default(),
            wants_logprobs: settings.logprobs == Some(true),
            limit: limit.unwrap_or(usize::MAX),
            most_calls: if settings.parallel_tool_calls == Some(false) { 1 } else { usize::MAX },
            added: settings.peerway.clone().unwrap_or_default(),
        })
    }
}

/// What mistral.rs itself applies. A temperature of 0: it then takes the one token that the chooser left possible.
fn penalties(request: &ChatRequest) -> SamplingParams {
    SamplingParams {
        temperature: Some(0.0),
        frequency_penalty: request.frequency_penalty,
        presence_penalty: request.presence_penalty,
        repetition_penalty: request.repetition_penalty,
        ..SamplingParams::neutral()
    }
}

fn chooser(request: &ChatRequest) -> Arc<Chooser> {
    let sampling = Sampling {
        temperature: request.temperature.unwrap_or(1.0),
        top_k: request.top_k.and_then(|top_k| usize::try_from(top_k).ok()),
        top_p: request.top_p.unwrap_or(1.0),
        min_p: request.min_p.unwrap_or(0.0),
        seed: request.seed.map_or_else(rand::random, i64::cast_unsigned),
    };
    let bias = request.logit_bias.iter().flatten();
    let bias = bias.filter_map(|(token, bias)| Some((token.parse().ok()?, *bias))).collect();
    let top = request.top_logprobs.and_then(|top| usize::try_from(top).ok()).unwrap_or_default();
    Chooser::new(sampling, bias, (request.logprobs == Some(true)).then_some(top))
}

#[cfg(test)]
mod tests {
    use mistralrs::Constraint;
    use serde_json::{Value, json};

    use super::*;

    fn request(change: &Value) -> ChatRequest {
        let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }] });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    fn refused(change: &Value, tools: bool) -> Option<String> {
        match Translated::of_chat(&request(change), Follows { tools, ..Follows::default() }) {
            Err(EngineError::BadRequest { param, .. }) => param,
            Err(other) => panic!("{other}"),
            Ok(_) => None,
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused_and_named() {
        let tools = json!([{ "type": "function", "function": { "name": "f" } }]);
        let object = json!({ "type": "json_object" });
        assert_eq!(refused(&json!({ "tools": tools }), false).as_deref(), Some("tools"));
        assert_eq!(refused(&json!({ "tools": tools }), true), None);
        assert_eq!(refused(&json!({ "tools": tools, "tool_choice": "none" }), false), None);
        assert_eq!(refused(&json!({ "tool_choice": "required" }), true).as_deref(), Some("tool_choice"));
        let both = json!({ "tools": tools, "response_format": object });
        assert_eq!(refused(&both, true).as_deref(), Some("response_format"));
        assert_eq!(refused(&json!({ "n": 2 }), true).as_deref(), Some("n"));
        let no_schema = json!({ "response_format": { "type": "json_schema", "json_schema": { "name": "x" } } });
        assert_eq!(refused(&no_schema, true).as_deref(), Some("response_format.json_schema.schema"));
        assert_eq!(refused(&json!({ "reasoning_effort": "high" }), true).as_deref(), Some("reasoning_effort"));
        assert_eq!(refused(&json!({ "reasoning_effort": "none" }), true), None);
        let picture =
            json!([{ "type": "text", "text": "x" }, { "type": "image_url", "image_url": { "url": "data:," } }]);
        let picture = json!({ "messages": [{ "role": "user", "content": picture }] });
        assert_eq!(refused(&picture, true).as_deref(), Some("messages[0].content[1]"));
    }

    #[test]
    fn a_required_call_is_of_any_tool_and_a_named_one_of_that_tool() {
        let grammar = |choice: Value| {
            let tool = |name: &str| json!({ "type": "function", "function": { "name": name } });
            let body = json!({ "tools": [tool("f"), tool("g")], "tool_choice": choice });
            let follows = Follows { tools: true, ..Follows::default() };
            let shape = Translated::of_chat(&request(&body), follows).unwrap().shape.unwrap();
            let Constraint::Lark(grammar) = shape.constraint else { panic!("no grammar") };
            (grammar, shape.parts.into_iter().map(|(field, _)| field).collect::<Vec<_>>())
        };
        let (any, fields) = grammar(json!("required"));
        assert!(any.starts_with("start: call_0 | call_1\n"), "{any}");
        assert_eq!(fields, ["tools[0].function.parameters", "tools[1].function.parameters"]);
        let (named, fields) = grammar(json!({ "type": "function", "function": { "name": "g" } }));
        assert!(named.starts_with("start: call_1\n") && !named.contains("\\\"f\\\""), "{named}");
        assert_eq!(fields, ["tools[1].function.parameters"]);
    }

    #[test]
    fn what_the_template_shows_is_advertised() {
        assert!(!Follows::default().capabilities().contains(&"tools".to_owned()));
        let thinking = Reactions { degree: true, ..Reactions::default() };
        let all = Follows { tools: true, thinking }.capabilities();
        for name in ["tools", "reasoning_effort", "completions", "response_format"] {
            assert!(all.contains(&name.to_owned()), "{name}");
        }
    }
}
