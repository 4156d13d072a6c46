//! Directives: faults and timings that a message asks for.
//!
//! | directive | what happens |
//! | --- | --- |
//! | `[[tokens=100]]` | the answer has this many words |
//! | `[[say=TEXT]]` | the answer is this text, a word a piece |
//! | `[[think=5]]` | this many words of thought come before it |
//! | `[[tool=NAME:{"json":"args"}]]` | the answer calls this tool; several call several |
//! | `[[stop_reason=END]]` | the answer says that it ended at this stop text |
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
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) tokens: Option<u32>,
    pub(super) say: Option<String>,
    pub(super) think: u32,
    /// Names and arguments.
    pub(super) tools: Vec<(String, String)>,
    pub(super) stop_reason: Option<String>,
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
            say: None,
            think: 0,
            tools: Vec::new(),
            stop_reason: None,
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
            let Some(end) = end(after) else { break };
            let (directive, next) = after.split_at(end);
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            self.set(name.trim(), value)
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

    fn set(&mut self, name: &str, exact: &str) -> Option<()> {
        let value = exact.trim();
        match name {
            "say" => self.say = Some(exact.to_owned()),
            "think" => self.think = value.parse().ok()?,
            "stop_reason" => self.stop_reason = Some(exact.to_owned()),
            "tool" => {
                let (name, arguments) = value.split_once(':')?;
                serde_json::from_str::<serde_json::Value>(arguments).ok()?;
                self.tools.push((name.to_owned(), arguments.to_owned()));
            }
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

/// Where the directive at the beginning of a text ends. The arguments of a tool may have brackets of their own.
fn end(text: &str) -> Option<usize> {
    let mut from = 0;
    if text.trim_start().starts_with("tool=") {
        let arguments = text.find(':').map_or(text.len(), |colon| colon + 1);
        let mut values = serde_json::Deserializer::from_str(&text[arguments..]).into_iter::<serde::de::IgnoredAny>();
        if values.next().is_some_and(|value| value.is_ok()) {
            from = arguments + values.byte_offset();
        }
    }
    Some(from + text[from..].find("]]")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_wherever_they_stand() {
        let mut script = Script::default();
        script
            .read(r#"a [[tool=f:{"x":[[1]]}]] b [[tool=g:{}]][[say= two  words]] [[think=3]] [[stop_reason=END]] c"#)
            .unwrap();
        let tool = |name: &str, arguments: &str| (name.to_owned(), arguments.to_owned());
        assert_eq!(script.tools, [tool("f", r#"{"x":[[1]]}"#), tool("g", "{}")]);
        assert_eq!((script.say.as_deref(), script.think), (Some(" two  words"), 3));
        assert_eq!(script.stop_reason.as_deref(), Some("END"));
        for broken in ["[[tool=f]]", "[[tool=f:{]]", "[[think=much]]", "[[nonsense]]"] {
            assert!(Script::default().read(broken).is_err(), "{broken}");
        }
    }
}
