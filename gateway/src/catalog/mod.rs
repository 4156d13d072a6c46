//! The models that this gateway sells.
//!
//! A model is a folder of plain files (`model.toml`, `tokenizer.json`, `chat_template.jinja`), so that an operator can
//! read, copy and version the catalog with the tools at hand. A running gateway notices a changed folder by itself.
//! Tokenizer and template are what lets the gateway count tokens instead of believing a node.

mod entry;
mod gguf;
mod gguf_tokenizer;
mod shared_tokenizers;
mod store;
mod template;
mod tokens;

pub use entry::{CatalogModel, ModelCard};
pub use gguf::{Gguf, GgufError};
pub use gguf_tokenizer::tokenizer_json;
pub use store::{Catalog, CatalogError, ModelFiles, add_model, load_models};
pub use template::{ChatTemplate, TemplateError};
pub use tokens::TokenCounter;
