//! One model of the catalog.

use std::sync::Arc;

use peerway_billing::Price;
use peerway_openapi::chat::ChatRequest;
use peerway_openapi::models::Metering;
use serde::{Deserialize, Serialize};
use tokenizers::Tokenizer;

use super::tokens::{self, TokenCounter};
use super::{ChatTemplate, TemplateError};

/// `model.toml`: what an operator says of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// What callers put in `model`, and nodes in their adverts.
    pub id: String,
    /// Tokens of prompt and answer together.
    pub context_length: u32,
    /// Seconds since 1970 at which it came into the catalog.
    pub created: i64,
    /// Who made it known here.
    #[serde(default = "default_owner")]
    pub owned_by: String,
    /// USD per million prompt tokens that no node may ask more than. None: any price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_input_price: Option<String>,
    /// USD per million generated tokens that no node may ask more than. None: any price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_price: Option<String>,
    /// The token that opens a text, empty for none: templates ask for it.
    #[serde(default)]
    pub bos_token: String,
    /// The token that ends a text, empty for none.
    #[serde(default)]
    pub eos_token: String,
}

fn default_owner() -> String {
    "peerway".to_owned()
}

/// A model that is ready to sell.
#[derive(Debug)]
pub struct CatalogModel {
    /// What its operator says of it.
    pub card: ModelCard,
    /// What no node may ask more than. None: any price.
    pub price_cap: Option<Price>,
    pub(super) tokenizer: Option<Arc<Tokenizer>>,
    pub(super) template: Option<ChatTemplate>,
}

impl CatalogModel {
    /// How the gateway checks what nodes claim for this model.
    #[must_use]
    pub fn metering(&self) -> Metering {
        match (&self.tokenizer, &self.template) {
            (Some(_), Some(_)) => Metering::Tokenizer,
            _ => Metering::Bytes,
        }
    }

    /// The prompt's tokens; where the gateway has no tokenizer, its bytes, of which a token has at least one.
    ///
    /// # Errors
    /// `Refused` where the chat template takes no such conversation.
    pub fn count_prompt(&self, request: &ChatRequest) -> Result<u64, TemplateError> {
        match (&self.tokenizer, &self.template) {
            (Some(tokenizer), Some(template)) => Ok(tokens::count(Some(tokenizer), &template.render(request)?)),
            _ => Ok(prompt_bytes(request)),
        }
    }

    /// The tokens of a text that no template is put around; its bytes where the gateway has no tokenizer.
    #[must_use]
    pub fn count_text(&self, text: &str) -> u64 {
        tokens::count(self.tokenizer.as_deref(), text)
    }

    /// The text of tokens. None where the gateway has no tokenizer, or it has no such token.
    #[must_use]
    pub fn text_of(&self, tokens: &[u32]) -> Option<String> {
        let tokenizer = self.tokenizer.as_ref()?;
        if tokens.iter().any(|token| tokenizer.id_to_token(*token).is_none()) {
            return None;
        }
        tokenizer.decode(tokens, false).ok()
    }

    /// A counter for the answer's text.
    #[must_use]
    pub fn counter(&self) -> TokenCounter {
        TokenCounter::new(self.tokenizer.clone())
    }
}

/// Tokens that a template may put around one message, beyond its text: markers and the role.
const MESSAGE_OVERHEAD: u64 = 16;

fn prompt_bytes(request: &ChatRequest) -> u64 {
    let text: usize = request.messages.iter().map(|message| message.joined_text().len()).sum();
    let tools = serde_json::to_string(&request.tools).map_or(0, |tools| tools.len());
    (text + tools) as u64 + MESSAGE_OVERHEAD * (request.messages.len() as u64 + 1)
}
