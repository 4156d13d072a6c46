//! How long the model thinks before it answers.
//!
//! Templates have two ways to be told: a switch, `enable_thinking` (Qwen3, `SmolLM3`), and a degree, `reasoning_effort`
//! (GPT-OSS). mistral.rs hands both to every template, and most know neither. So both are tried when the model has been
//! loaded, and a request that the template would not react to is refused.

use mistralrs::core::ReasoningEffort as MistralEffort;
use peerway_openapi::chat::ReasoningEffort;

use super::EngineError;

/// What the template is told. None: what it does by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Thinking {
    pub(super) enable: Option<bool>,
    pub(super) effort: Option<MistralEffort>,
}

/// What the model's template reacts to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reactions {
    /// To the switch.
    pub(super) switch: bool,
    /// To the degree.
    pub(super) degree: bool,
    /// Its model thinks, whatever it is told.
    pub(super) thinks: bool,
}

impl Reactions {
    /// Whether callers can choose how long it thinks.
    pub(super) fn any(self) -> bool {
        self.switch || self.degree
    }

    /// What the template is told for a caller's wish.
    pub(super) fn follow(self, wish: Option<ReasoningEffort>) -> Result<Thinking, EngineError> {
        let refuse = |why: &str| Err(EngineError::bad_param("reasoning_effort", why));
        let effort = match wish {
            None => return Ok(Thinking::default()),
            Some(ReasoningEffort::None) if self.switch => return Ok(Thinking { enable: Some(false), effort: None }),
            Some(ReasoningEffort::None) if self.thinks => {
                return refuse("This model always thinks before it answers.");
            }
            Some(ReasoningEffort::None) => return Ok(Thinking::default()),
            Some(ReasoningEffort::Minimal | ReasoningEffort::Low) => MistralEffort::Low,
            Some(ReasoningEffort::Medium) => MistralEffort::Medium,
            Some(ReasoningEffort::High | ReasoningEffort::Xhigh) => MistralEffort::High,
        };
        match self {
            Self { switch: false, degree: false, thinks: true } => {
                refuse("How long this model thinks cannot be chosen.")
            }
            Self { switch: false, degree: false, thinks: false } => {
                refuse("This model does not think before it answers.")
            }
            _ => Ok(Thinking { enable: Some(true), effort: Some(effort) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_followed_where_the_template_reacts_and_refused_where_it_does_not() {
        use ReasoningEffort as Wish;
        let switch = Reactions { switch: true, degree: false, thinks: true };
        let degree = Reactions { switch: false, degree: true, thinks: true };
        let plain = Reactions::default();
        let always = Reactions { thinks: true, ..plain };
        let told = |enable, effort| Some(Thinking { enable, effort });
        let cases = [
            (switch, Wish::None, told(Some(false), None)),
            (switch, Wish::Xhigh, told(Some(true), Some(MistralEffort::High))),
            (degree, Wish::Minimal, told(Some(true), Some(MistralEffort::Low))),
            (degree, Wish::Medium, told(Some(true), Some(MistralEffort::Medium))),
            (degree, Wish::None, None),
            (plain, Wish::None, told(None, None)),
            (plain, Wish::Low, None),
            (always, Wish::None, None),
            (always, Wish::High, None),
        ];
        for (reactions, wish, expected) in cases {
            assert_eq!(reactions.follow(Some(wish)).ok(), expected, "{reactions:?} {wish:?}");
            assert_eq!(reactions.follow(None).ok(), told(None, None));
        }
    }
}
