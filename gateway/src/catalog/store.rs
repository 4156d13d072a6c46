//! The catalog's folder: loading, adding, and noticing changes.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use peerway_billing::{PerMillion, Price};
use tracing::{info, warn};

use super::shared_tokenizers::SharedTokenizers;
use super::{CatalogModel, ChatTemplate, GgufError, ModelCard, TemplateError};

const CARD: &str = "model.toml";
const TOKENIZER: &str = "tokenizer.json";
const TEMPLATE: &str = "chat_template.jinja";

/// No node asks more.
const NO_CAP: PerMillion = PerMillion::new(i64::MAX).expect("the largest number is not negative");

/// How often a running gateway looks for changes.
const RELOAD_EVERY: Duration = Duration::from_secs(1);

/// Why a model could not be loaded or added.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// `model.toml` is no such thing.
    #[error("{}: {reason}", path.display())]
    Card {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// `tokenizer.json` is no such thing.
    #[error("{}: not a usable tokenizer.json: {reason}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The chat template is wrong.
    #[error("{}: {source}", path.display())]
    Template {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TemplateError,
    },
    /// A GGUF file could not be used.
    #[error("{}: {source}", path.display())]
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: GgufError,
    },
    /// The id cannot name a model.
    #[error("`{0}` cannot be a model's id: use 1 to 128 letters, digits, and any of - _ . / :")]
    Id(String),
}

/// What a model is made of, to be written into the catalog.
#[derive(Debug)]
pub struct ModelFiles {
    /// What its operator says of it.
    pub card: ModelCard,
    /// `tokenizer.json`. None: usage is bounded by bytes.
    pub tokenizer: Option<String>,
    /// The chat template. None: usage is bounded by bytes.
    pub template: Option<String>,
}

/// The models on sale, kept up to date with their folder.
#[derive(Debug)]
pub struct Catalog {
    folder: PathBuf,
    /// As the folder was just before it was loaded: what changes while a gateway starts is a change too.
    loaded: Fingerprint,
    tokenizers: SharedTokenizers,
    models: ArcSwap<HashMap<String, Arc<CatalogModel>>>,
}

/// The cards that there are, and when each was written.
type Fingerprint = Vec<(PathBuf, Option<SystemTime>)>;

impl Catalog {
    /// Loads the folder, which is made where it is missing.
    ///
    /// # Errors
    /// `CatalogError` naming the file that is wrong.
    pub fn open(folder: PathBuf) -> Result<Self, CatalogError> {
        fs::create_dir_all(&folder).map_err(|source| CatalogError::Io { path: folder.clone(), source })?;
        let loaded = fingerprint(&folder);
        let tokenizers = SharedTokenizers::default();
        let models = by_id(load_with(&folder, &tokenizers)?);
        Ok(Self { folder, loaded, tokenizers, models: ArcSwap::from_pointee(models) })
    }

    /// The model that callers name so. None: it is not sold here.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<CatalogModel>> {
        self.models.load().get(id).cloned()
    }

    /// All models, by id.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<CatalogModel>> {
        let mut models: Vec<_> = self.models.load().values().cloned().collect();
        models.sort_by(|a, b| a.card.id.cmp(&b.card.id));
        models
    }

    /// Looks for changes until the task is dropped. A folder that has become wrong is logged; what was sold stays.
    pub async fn follow_changes(&self) {
        let mut seen = self.loaded.clone();
        let mut ticks = tokio::time::interval(RELOAD_EVERY);
        loop {
            ticks.tick().await;
            let now = fingerprint(&self.folder);
            if now == seen {
                continue;
            }
            seen = now;
            match load_with(&self.folder, &self.tokenizers) {
                Ok(models) => {
                    info!(models = models.len(), "catalog reloaded");
                    self.models.store(Arc::new(by_id(models)));
                }
                Err(error) => warn!(%error, "catalog left as it was: its folder cannot be loaded"),
            }
        }
    }
}

fn by_id(models: Vec<CatalogModel>) -> HashMap<String, Arc<CatalogModel>> {
    models.into_iter().map(|model| (model.card.id.clone(), Arc::new(model))).collect()
}

/// Every model of the folder.
///
/// # Errors
/// `CatalogError` naming the file that is wrong.
pub fn load_models(folder: &Path) -> Result<Vec<CatalogModel>, CatalogError> {
    load_with(folder, &SharedTokenizers::default())
}

fn load_with(folder: &Path, tokenizers: &SharedTokenizers) -> Result<Vec<CatalogModel>, CatalogError> {
    let mut models = Vec::new();
    for path in model_folders(folder)? {
        models.push(load_model(&path, tokenizers)?);
    }
    models.sort_by(|a, b| a.card.id.cmp(&b.card.id));
    Ok(models)
}

/// Writes a model into the catalog's folder, in place of one of the same id. It is checked before anything is written,
/// and its card, which makes it a model, is written last.
///
/// # Errors
/// `CatalogError` where the model is not usable or cannot be written.
pub fn add_model(folder: &Path, files: &ModelFiles) -> Result<CatalogModel, CatalogError> {
    let id = &files.card.id;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
    if id.is_empty() || id.len() > 128 || !id.bytes().all(allowed) {
        return Err(CatalogError::Id(id.clone()));
    }
    let path = folder.join(id.replace('/', "--").replace(':', "-").replace("..", "-"));
    let tokenizer = files.tokenizer.as_deref();
    let model = assemble(&path, files.card.clone(), tokenizer, files.template.clone(), &SharedTokenizers::default())?;
    fs::create_dir_all(&path).map_err(|source| CatalogError::Io { path: path.clone(), source })?;
    write_or_remove(&path.join(TOKENIZER), files.tokenizer.as_deref())?;
    write_or_remove(&path.join(TEMPLATE), files.template.as_deref())?;
    let card = toml_of(&files.card, &path)?;
    write_or_remove(&path.join(CARD), Some(&card))?;
    Ok(model)
}

fn toml_of(card: &ModelCard, path: &Path) -> Result<String, CatalogError> {
    toml::to_string(card).map_err(|error| CatalogError::Card { path: path.join(CARD), reason: error.to_string() })
}

fn load_model(path: &Path, tokenizers: &SharedTokenizers) -> Result<CatalogModel, CatalogError> {
    let card_path = path.join(CARD);
    let card_text = read(&card_path)?.unwrap_or_default();
    let wrong = |error: toml::de::Error| CatalogError::Card { path: card_path, reason: error.message().to_owned() };
    let card: ModelCard = toml::from_str(&card_text).map_err(wrong)?;
    assemble(path, card, read(&path.join(TOKENIZER))?.as_deref(), read(&path.join(TEMPLATE))?, tokenizers)
}

fn assemble(
    path: &Path,
    card: ModelCard,
    tokenizer: Option<&str>,
    template: Option<String>,
    tokenizers: &SharedTokenizers,
) -> Result<CatalogModel, CatalogError> {
    let unusable =
        |error: tokenizers::Error| CatalogError::Tokenizer { path: path.join(TOKENIZER), reason: error.to_string() };
    let tokenizer = tokenizer.map(|json| tokenizers.read(json).map_err(unusable)).transpose()?;
    let compile = |source| ChatTemplate::compile(source, card.bos_token.clone(), card.eos_token.clone());
    let wrong = |source| CatalogError::Template { path: path.join(TEMPLATE), source };
    let template = template.map(compile).transpose().map_err(wrong)?;
    let price_cap = price_cap(&card).map_err(|reason| CatalogError::Card { path: path.join(CARD), reason })?;
    Ok(CatalogModel { card, price_cap, tokenizer, template })
}

fn price_cap(card: &ModelCard) -> Result<Option<Price>, String> {
    if card.max_input_price.is_none() && card.max_output_price.is_none() {
        return Ok(None);
    }
    let parse = |field: &str, price: Option<&String>| match price {
        None => Ok(NO_CAP),
        Some(price) => PerMillion::from_usd_str(price).map_err(|error| format!("{field}: {error}")),
    };
    let input = parse("max_input_price", card.max_input_price.as_ref())?;
    let output = parse("max_output_price", card.max_output_price.as_ref())?;
    Ok(Some(Price { input, cached_input: input, output }))
}

/// The folders that hold a card.
fn model_folders(folder: &Path) -> Result<Vec<PathBuf>, CatalogError> {
    let failed = |source| CatalogError::Io { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    Ok(paths.into_iter().filter(|path| path.join(CARD).is_file()).collect())
}

/// Changes when a card does; a card is the last file written.
fn fingerprint(folder: &Path) -> Fingerprint {
    let mut cards: Vec<_> = model_folders(folder).unwrap_or_default();
    cards.sort();
    let modified = |path: &PathBuf| fs::metadata(path.join(CARD)).and_then(|card| card.modified()).ok();
    cards.into_iter().map(|path| (path.clone(), modified(&path))).collect()
}

fn read(path: &Path) -> Result<Option<String>, CatalogError> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        text => text.map(Some).map_err(|source| CatalogError::Io { path: path.to_owned(), source }),
    }
}

/// Whole or not at all: a reader never sees half a file.
fn write_or_remove(path: &Path, text: Option<&str>) -> Result<(), CatalogError> {
    let failed = |source| CatalogError::Io { path: path.to_owned(), source };
    let Some(text) = text else {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        };
    };
    let parent = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(parent).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
