//! Directives: faults and timings that a message asks for.
//!
//! | directive | what happens |
//! | --- | --- |
//! | `[[tokens=100]]` | the answer has this many words |
//! | `[[delay_first=200ms]]` | a pause before the first word |
//! | `[[every=5ms]]` | a pause before each further word |
//! | `[[die_after=5]]` | an error after this many words |
//! | `[[hang_after=5]]` | silence after this many words |
//! | `[[error_finish]]` | an error in place of the finish reason |
//! | `[[refuse=busy]]` | refused at once: `busy`, `bad_request` or `failed` |
//! | `[[refuse_first=3]]` | the node's first three requests are refused as busy |
//! | `[[claim_factor=10]]` | the usage claimed is this many times the truth |

use std::time::Duration;

use super::super::EngineError;
use super::duration;

/// What an answer is to be like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Script {
    pub(super) tokens: Option<u32>,
    pub(super) delay_first: Duration,
    pub(super) every: Duration,
    pub(super) die_after: Option<u32>,
    pub(super) hang_after: Option<u32>,
    pub(super) error_finish: bool,
    pub(super) claim_factor: u64,
    /// The caller's limit is below the answer's length.
    pub(super) cut_short: bool,
    pub(super) refuse: Option<Refusal>,
    pub(super) refuse_first: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Refusal {
    Busy,
    BadRequest,
    Failed,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            tokens: None,
            delay_first: Duration::ZERO,
            every: Duration::ZERO,
            die_after: None,
            hang_after: None,
            error_finish: false,
            claim_factor: 1,
            cut_short: false,
            refuse: None,
            refuse_first: 0,
        }
    }
}

impl Script {
    /// Takes in every directive of a text.
    pub(super) fn read(&mut self, text: &str) -> Result<(), String> {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once("[[") {
            let Some((directive, next)) = after.split_once("]]") else { break };
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            self.set(name.trim(), value.trim())
                .ok_or_else(|| format!("the script directive `{directive}` is unknown or has no usable value"))?;
            rest = next;
        }
        Ok(())
    }

    /// Why the request is refused before any work, if it is. `number` counts the engine's requests from 0.
    pub(super) fn refusal(&self, number: u64) -> Option<EngineError> {
        let refusal = self.refuse.or((number < self.refuse_first).then_some(Refusal::Busy))?;
        Some(match refusal {
            Refusal::Busy => EngineError::Busy,
            Refusal::BadRequest => EngineError::bad_param("messages", "Refused, as the message asks for."),
            Refusal::Failed => EngineError::node("The engine failed, as it was told to.", "a directive asked for it"),
        })
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "tokens" => self.tokens = Some(value.parse().ok()?),
            "delay_first" => self.delay_first = duration(value)?,
            "every" => self.every = duration(value)?,
            "die_after" => self.die_after = Some(value.parse().ok()?),
            "hang_after" => self.hang_after = Some(value.parse().ok()?),
            "error_finish" => self.error_finish = true,
            "claim_factor" => self.claim_factor = value.parse().ok()?,
            "refuse_first" => self.refuse_first = value.parse().ok()?,
            "refuse" => {
                self.refuse = Some(match value {
                    "busy" => Refusal::Busy,
                    "bad_request" => Refusal::BadRequest,
                    "failed" => Refusal::Failed,
                    _ => return None,
                });
            }
            _ => return None,
        }
        Some(())
    }
}
