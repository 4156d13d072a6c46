//! An engine for tests: the same words for the same conversation, and any fault on demand.
//!
//! Faults are asked for by directives in the last message (`[[die_after=5]]`), so that a test that only has an HTTP
//! client, or a node in another process, can reach them. The released binary does not have this engine.

mod debug;
mod directive;
mod plan;
mod vector;
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use peerway_openapi::chat::{ChatChunk, ChatRequest, Delta, FinishReason, ReasoningEffort};
use peerway_openapi::completions::{CompletionRequest, Prompt};
use peerway_openapi::embeddings::{EmbeddingRequest, EmbeddingResponse};
use peerway_openapi::usage::Usage;
use tokio::sync::watch;

use super::{Answer, Engine, EngineError, ModelInfo, Stamp, capability, media};
pub use debug::serve_counters;
use directive::Script;
use plan::Plan;

/// What the engine has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// Answers being made.
    pub running: u64,
    /// Answers that came to their end.
    pub served: u64,
    /// Answers that were dropped before their end.
    pub cancelled: u64,
    /// Requests refused or broken by a directive.
    pub failed: u64,
    /// Words made, over all answers.
    pub words: u64,
}

/// What stands for a hash of weights: the words are the same on every node.
const WEIGHTS: &str = "scripted:words";

/// Makes words.
pub struct ScriptedEngine {
    model: ModelInfo,
    script: Script,
    counters: Arc<watch::Sender<Counters>>,
    requests: AtomicU64,
}

impl ScriptedEngine {
    /// An engine that serves this model without faults.
    #[must_use]
    pub fn new(mut model: ModelInfo) -> Self {
        if !model.can(capability::EMBEDDINGS) && !model.can(capability::RESUME) {
            model.capabilities.push(capability::RESUME.to_owned());
        }
        model.weights_hash.get_or_insert_with(|| WEIGHTS.to_owned());
        Self { model, script: Script::default(), counters: Arc::default(), requests: AtomicU64::new(0) }
    }

    /// The same engine with directives that hold for every request, as they would stand in a message.
    ///
    /// # Errors
    /// The directive that is unknown or has no usable value.
    pub fn with_directives(mut self, directives: &str) -> Result<Self, String> {
        self.script.read(directives)?;
        Ok(self)
    }

    /// What it has done, now and with every change.
    #[must_use]
    pub fn counters(&self) -> watch::Receiver<Counters> {
        self.counters.subscribe()
    }
}

#[async_trait]
impl Engine for ScriptedEngine {
    fn models(&self) -> Vec<ModelInfo> {
        vec![self.model.clone()]
    }

    async fn chat(&self, request: ChatRequest) -> Result<Answer, EngineError> {
        if request.model != self.model.id {
            return Err(EngineError::UnknownModel(request.model));
        }
        media::refuse(&request, self.model.can(capability::IMAGE_INPUT), self.model.can(capability::AUDIO_INPUT))?;
        let last = request.messages.last().map(peerway_openapi::chat::Message::joined_text).unwrap_or_default();
        let mut script = self.script(&last, "messages")?;
        if request.messages.iter().any(|message| message.media().next().is_some()) {
            script.say = Some(words::media(&request.messages));
        }
        if request.reasoning_effort == Some(ReasoningEffort::None) {
            script.think = 0;
        }
        let seed = words::seed(&request.messages);
        let prompt = Read { stamp: Stamp::new(&self.model.id), seed, tokens: words::count(&request.messages) };
        self.run(prompt, &request, script)
    }

    async fn complete(&self, request: CompletionRequest) -> Result<Answer, EngineError> {
        if request.model != self.model.id {
            return Err(EngineError::UnknownModel(request.model));
        }
        let (text, tokens) = match request.prompt.0.as_slice() {
            [Prompt::Text(text)] => (text.clone(), words::count_text(text)),
            [Prompt::Tokens(tokens)] => (format!("{tokens:?}"), u64::try_from(tokens.len()).unwrap_or(u64::MAX)),
            _ => return Err(EngineError::bad_param("prompt", "One prompt at a time.")),
        };
        let script = self.script(&text, "prompt")?;
        let prompt = Read { stamp: Stamp::of_text(&self.model.id), seed: words::seed_text(&text), tokens };
        self.run(prompt, &request.settings(), script)
    }

    async fn embed(&self, request: EmbeddingRequest) -> Result<EmbeddingResponse, EngineError> {
        if request.model != self.model.id {
            return Err(EngineError::UnknownModel(request.model));
        }
        vector::embed(&request)
    }
}

/// A prompt as far as it matters here.
struct Read {
    stamp: Stamp,
    seed: u64,
    tokens: u64,
}

impl ScriptedEngine {
    /// What a text asks for, unless it asks to be refused.
    fn script(&self, text: &str, field: &str) -> Result<Script, EngineError> {
        let mut script = self.script.clone();
        script.read(text).map_err(|fault| EngineError::bad_param(field, fault))?;
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        if let Some(refusal) = script.refusal(number) {
            self.counters.send_modify(|counters| counters.failed += 1);
            return Err(refusal);
        }
        Ok(script)
    }

    fn run(&self, prompt: Read, settings: &ChatRequest, script: Script) -> Result<Answer, EngineError> {
        let most_calls = if settings.parallel_tool_calls == Some(false) { 1 } else { usize::MAX };
        // Another seed, other words; none, always the same ones.
        let seed = settings.seed.map_or(prompt.seed, |seed| prompt.seed.rotate_left(17) ^ seed.cast_unsigned());
        let plan = Plan::new(&script, seed, most_calls);
        let added = settings.peerway.clone().unwrap_or_default();
        let delivered = added.resume.as_ref().map_or(Ok(0), |delivered| plan.place_after(delivered))?;
        let mut run = Run::new(prompt, settings, script, plan, delivered, self.counters.clone());
        run.tells_tokens = added.token_ids;
        Ok(Answer::Stream(stream::unfold(run, Run::step).boxed()))
    }
}

/// One answer being made.
struct Run {
    stamp: Stamp,
    script: Script,
    plan: Plan,
    prompt_tokens: u64,
    asked_for: u32,
    /// Pieces that another node said before.
    resumed: u32,
    /// Pieces said, those among them.
    said: u32,
    /// Whether pieces tell their tokens: each is one, whose id is its place.
    tells_tokens: bool,
    stage: Stage,
    counters: Arc<watch::Sender<Counters>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Words,
    Finish,
    Usage,
    Over,
}

impl Run {
    fn new(
        prompt: Read,
        settings: &ChatRequest,
        script: Script,
        plan: Plan,
        resumed: u32,
        counters: Arc<watch::Sender<Counters>>,
    ) -> Self {
        counters.send_modify(|counters| counters.running += 1);
        let wanted = plan.length();
        let limit = settings.max_generated().map_or(u32::MAX, |limit| limit.tokens);
        Self {
            stamp: prompt.stamp,
            plan,
            prompt_tokens: prompt.tokens,
            asked_for: wanted.min(limit),
            resumed,
            said: resumed,
            tells_tokens: false,
            stage: Stage::Words,
            counters,
            script: Script { cut_short: limit < wanted, ..script },
        }
    }

    async fn step(mut self) -> Option<(Result<ChatChunk, EngineError>, Self)> {
        if self.stage == Stage::Words && self.said >= self.asked_for {
            self.stage = Stage::Finish;
        }
        match self.stage {
            Stage::Words => {
                let pause = if self.said == 0 { self.script.delay_first } else { self.script.every };
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                if self.script.hang_after.is_some_and(|after| self.said >= after) {
                    std::future::pending::<()>().await;
                }
                if self.script.die_after.is_some_and(|after| self.said >= after) {
                    return self.fail("The engine died, as it was told to.");
                }
                let delta = Delta { role: self.role(), ..self.plan.piece(self.said).unwrap_or_default() };
                let mut piece = self.stamp.piece(delta, None);
                piece.choices[0].token_ids = self.tells_tokens.then(|| vec![self.said]);
                self.said += 1;
                self.counters.send_modify(|counters| counters.words += 1);
                Some((Ok(piece), self))
            }
            Stage::Finish if self.script.error_finish => self.fail("The engine failed at its end, as it was told to."),
            Stage::Finish => {
                self.stage = Stage::Usage;
                let reason = match self.script.cut_short {
                    true => FinishReason::Length,
                    false if self.plan.calls() => FinishReason::ToolCalls,
                    false => FinishReason::Stop,
                };
                let delta = Delta { role: self.role(), ..Delta::default() };
                let mut last = self.stamp.piece(delta, Some(reason));
                if reason == FinishReason::Stop {
                    last.choices[0].stop_reason.clone_from(&self.script.stop_reason);
                }
                Some((Ok(last), self))
            }
            Stage::Usage => {
                self.stage = Stage::Over;
                self.counters.send_modify(|counters| counters.served += 1);
                let claim = |tokens: u64| tokens.saturating_mul(self.script.claim_factor);
                let usage = Usage::of_tokens(
                    claim(self.prompt_tokens),
                    0,
                    claim(u64::from(self.said.saturating_sub(self.resumed))),
                );
                Some((Ok(self.stamp.usage(usage)), self))
            }
            Stage::Over => None,
        }
    }

    fn role(&self) -> Option<peerway_openapi::chat::Role> {
        (self.said == 0).then_some(peerway_openapi::chat::Role::Assistant)
    }

    fn fail(mut self, message: &str) -> Option<(Result<ChatChunk, EngineError>, Self)> {
        self.stage = Stage::Over;
        self.counters.send_modify(|counters| counters.failed += 1);
        Some((Err(EngineError::node(message, "a directive asked for it")), self))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let cancelled = self.stage != Stage::Over;
        self.counters.send_modify(|counters| {
            counters.running -= 1;
            counters.cancelled += u64::from(cancelled);
        });
    }
}

/// A duration as directives write it: `200ms`, `5s`.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        _ => None,
    }
}
