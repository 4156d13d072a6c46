//! Looks at a shape before the engine does.
//!
//! mistral.rs compiles a grammar on the engine's thread, while every other answer waits, and its error does not say whose
//! fault it is. So each is compiled once before, on a thread of its own, with llguidance's bounds on what that may cost;
//! the engine only gets what compiles. A few at a time: the rest wait.

use std::sync::Arc;

use mistralrs::Constraint;
use mistralrs::llguidance::api::TopLevelGrammar;
use mistralrs::llguidance::{Matcher, ParserFactory};
use tokio::sync::Semaphore;

use super::EngineError;
use super::shape::Shape;

/// Grammars compiled at the same time.
const COMPILERS: usize = 2;
/// Tokens for which a grammar is followed beforehand.
const TRIED_TOKENS: usize = 4;
/// Characters of a complaint that a caller is shown.
const MAX_MESSAGE: usize = 300;

/// Compiles grammars for one model's vocabulary.
pub(super) struct Grammars {
    factory: Arc<ParserFactory>,
    compilers: Semaphore,
}

impl Grammars {
    pub(super) fn new(factory: Arc<ParserFactory>) -> Self {
        Self { factory, compilers: Semaphore::new(COMPILERS) }
    }

    /// Refuses what does not compile, by the field that is at fault.
    pub(super) async fn check(&self, shape: Option<&Shape>) -> Result<(), EngineError> {
        let Some(shape) = shape.cloned() else { return Ok(()) };
        // The semaphore is never closed; without a permit there would only be more threads.
        let _permit = self.compilers.acquire().await.ok();
        let factory = self.factory.clone();
        let checked = tokio::task::spawn_blocking(move || compile(&factory, &shape)).await;
        checked.unwrap_or_else(|panicked| Err(EngineError::node(super::BROKE, panicked.to_string())))
    }
}

fn compile(factory: &ParserFactory, shape: &Shape) -> Result<(), EngineError> {
    let Err(whole) = parser(factory, &shape.constraint) else { return Ok(()) };
    for (field, constraint) in &shape.parts {
        if let Err(why) = parser(factory, constraint) {
            return Err(EngineError::bad_param(field, format!("It cannot be followed: {why}")));
        }
    }
    // Each alone would do; together they are too much.
    Err(EngineError::bad_param(shape.field(), format!("It cannot be followed: {whole}")))
}

/// Why it does not compile, in one line.
fn parser(factory: &ParserFactory, constraint: &Constraint) -> Result<(), String> {
    let grammar = match constraint {
        Constraint::None => return Ok(()),
        Constraint::Regex(regex) => TopLevelGrammar::from_regex(regex),
        Constraint::Lark(lark) => TopLevelGrammar::from_lark(lark.clone()),
        Constraint::JsonSchema(schema) => TopLevelGrammar::from_json_schema(schema.clone()),
        Constraint::Llguidance(grammar) => grammar.clone(),
    };
    let tried = factory.create_parser(grammar).and_then(|parser| follow(factory, Matcher::new(Ok(parser))));
    // The first line: the rest is a dump of states, and holds what was said.
    tried.map_err(|error| error.to_string().lines().next().unwrap_or_default().chars().take(MAX_MESSAGE).collect())
}

/// Follows it for some tokens: what was compiled is unrolled only when it is used, and may prove too large then.
fn follow(factory: &ParserFactory, mut matcher: Matcher) -> anyhow::Result<()> {
    let tokens = factory.tok_env().tok_trie();
    for _ in 0..TRIED_TOKENS {
        let mut longest = None;
        matcher.compute_mask_or_eos()?.iter_set_entries(|token| {
            let token = u32::try_from(token).unwrap_or_default();
            let length = tokens.token_len(token);
            if longest.is_none_or(|(_, so_far)| length > so_far) {
                longest = Some((token, length));
            }
        });
        match longest {
            Some((token, _)) if !tokens.eos_tokens().contains(&token) => matcher.consume_token(token)?,
            _ => return Ok(()),
        }
        if matcher.is_stopped() {
            return Ok(());
        }
    }
    Ok(())
}
