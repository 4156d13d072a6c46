//! `peerway model …`

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use time::OffsetDateTime;

use super::output::table;
use super::{CATALOG_FOLDER, Workspace, prepare};
use crate::catalog::{CatalogError, CatalogModel, Gguf, ModelCard, ModelFiles, add_model, load_models, tokenizer_json};

#[derive(Debug, Subcommand)]
pub(super) enum ModelCommand {
    /// Sell a model, or replace what is known of it. A running gateway notices within a second
    Add(Box<AddArgs>),
    /// List the models on sale
    List,
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// What callers put in `model`, and nodes in their adverts
    id: String,
    /// Learn tokenizer, chat template and context length from this GGUF file
    #[arg(long, value_name = "FILE")]
    gguf: Option<PathBuf>,
    /// Count tokens with this tokenizer.json; without one, usage is bounded by bytes
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// Render prompts with this Jinja template
    #[arg(long, value_name = "FILE")]
    chat_template: Option<PathBuf>,
    /// Tokens of prompt and answer together [default: the GGUF file's]
    #[arg(long, value_name = "TOKENS")]
    context_length: Option<u32>,
    /// USD per million prompt tokens that no node may ask more than
    #[arg(long, value_name = "USD")]
    max_input_price: Option<String>,
    /// USD per million generated tokens that no node may ask more than
    #[arg(long, value_name = "USD")]
    max_output_price: Option<String>,
    /// Who made the model known here
    #[arg(long, default_value = "peerway")]
    owned_by: String,
}

pub(super) fn run(command: ModelCommand, workspace: &Workspace) -> anyhow::Result<()> {
    prepare(&workspace.data_dir)?;
    let folder = workspace.data_dir.join(CATALOG_FOLDER);
    let models = match command {
        ModelCommand::Add(args) => vec![add_model(&folder, &files(*args)?)?],
        ModelCommand::List => load_models(&folder)?,
    };
    let described: Vec<_> = models.iter().map(describe).collect();
    workspace.output.print(&described, |_| {
        let rows: Vec<_> = models.iter().map(row).collect();
        table(["MODEL", "CONTEXT", "METERING", "MAX INPUT", "MAX OUTPUT"], &rows)
    })
}

fn files(args: AddArgs) -> anyhow::Result<ModelFiles> {
    let gguf = args.gguf.as_deref().map(open_gguf).transpose()?;
    let read = |path: PathBuf| fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()));
    let tokenizer = match (args.tokenizer, &gguf) {
        (Some(path), _) => Some(read(path)?),
        (None, Some((path, gguf))) => Some(tokenizer_json(gguf).map_err(named(path))?.to_string()),
        (None, None) => None,
    };
    let template = match (args.chat_template, &gguf) {
        (Some(path), _) => Some(read(path)?),
        (None, Some((path, gguf))) => Some(gguf.text("tokenizer.chat_template").map_err(named(path))?.to_owned()),
        (None, None) => None,
    };
    let context_length = match (args.context_length, &gguf) {
        (Some(tokens), _) => tokens,
        (None, Some((path, gguf))) => u32::try_from(gguf.context_length().map_err(named(path))?).unwrap_or(u32::MAX),
        (None, None) => bail!("give --context-length, or a --gguf file to learn it from"),
    };
    let special = |key: &str| gguf.as_ref().and_then(|(_, gguf)| gguf.special_token(key)).unwrap_or_default();
    let card = ModelCard {
        id: args.id,
        context_length,
        created: OffsetDateTime::now_utc().unix_timestamp(),
        owned_by: args.owned_by,
        max_input_price: args.max_input_price,
        max_output_price: args.max_output_price,
        bos_token: special("tokenizer.ggml.bos_token_id"),
        eos_token: special("tokenizer.ggml.eos_token_id"),
    };
    Ok(ModelFiles { card, tokenizer, template })
}

fn open_gguf(path: &Path) -> Result<(PathBuf, Gguf), CatalogError> {
    Ok((path.to_owned(), Gguf::open(path).map_err(named(path))?))
}

fn named(path: &Path) -> impl FnOnce(crate::catalog::GgufError) -> CatalogError {
    let path = path.to_owned();
    move |source| CatalogError::Gguf { path, source }
}

fn describe(model: &CatalogModel) -> serde_json::Value {
    json!({"model": model.card, "metering": model.metering()})
}

fn row(model: &CatalogModel) -> [String; 5] {
    let metering = match model.metering() {
        peerway_openapi::models::Metering::Tokenizer => "tokenizer",
        peerway_openapi::models::Metering::Bytes => "bytes",
    };
    let cap = |cap: &Option<String>| cap.as_ref().map_or_else(|| "any".to_owned(), |usd| format!("${usd}/M"));
    [
        model.card.id.clone(),
        model.card.context_length.to_string(),
        metering.to_owned(),
        cap(&model.card.max_input_price),
        cap(&model.card.max_output_price),
    ]
}
