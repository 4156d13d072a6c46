//! Loading a model.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use mistralrs::core::{
    EmbeddingLoaderBuilder, EmbeddingSpecificConfig, GGUFLoaderBuilder, GGUFSpecificConfig, Loader, MistralRsBuilder,
    NormalLoaderBuilder, NormalSpecificConfig, Pipeline,
};
use mistralrs::llguidance::ParserFactory;
use mistralrs::{
    AutoDeviceMapParams, DefaultSchedulerMethod, Device, DeviceMapSetting, MistralRs, ModelDType,
    PagedAttentionMetaBuilder, SchedulerConfig, TokenSource,
};
use tokio::sync::Mutex;

use super::vocabulary::Vocabulary;
use super::{LoadError, MistralSettings, Source, gguf, template};
use crate::engine::ModelInfo;

/// mistral.rs lets a sequence's cache grow by this many tokens, and fails where that goes past the model's context.
const CACHE_STEP: usize = 512;

type SharedPipeline = Arc<Mutex<dyn Pipeline + Send + Sync>>;

/// A model that runs.
pub(super) struct Loaded {
    pub(super) runner: Arc<MistralRs>,
    pub(super) model: ModelInfo,
    pub(super) context: usize,
    pub(super) vocabulary: Vocabulary,
    /// The engine keeps the state of every finished sequence for ever; see `prefix`.
    pub(super) keeps_prefixes: bool,
    /// Answers computed in one batch would be mixed up; see `turn`.
    pub(super) mixes_batches: bool,
    /// Compiles grammars for the vocabulary.
    pub(super) grammars: Arc<ParserFactory>,
    /// The model thinks before it answers.
    pub(super) thinks: bool,
}

/// Reads the model's files.
pub(super) async fn open(settings: &MistralSettings) -> Result<Read, LoadError> {
    let blocking = settings.clone();
    // Files are read and, for hub ids, fetched with blocking calls. A panic of mistral.rs ends here as well.
    let read = tokio::task::spawn_blocking(move || read(&blocking)).await;
    read.unwrap_or_else(|panicked| {
        let id = settings.source.default_id();
        Err(LoadError::new(format!("model {id}: mistral.rs gave up: {panicked}")))
    })
}

/// Loads a model that makes text and starts its engine.
pub(super) async fn load(settings: &MistralSettings) -> Result<Loaded, LoadError> {
    let Read { pipeline, device, quantization, weights_hash } = open(settings).await?;
    let template = pipeline.lock().await.get_chat_template();
    let thinks = template.is_some_and(|template| {
        template.is_harmony_format() || template.uses_think_tags() || template.uses_channel_tags()
    });
    let facts = pipeline.lock().await.get_metadata();
    let own_context =
        if facts.max_seq_len > CACHE_STEP { facts.max_seq_len / CACHE_STEP * CACHE_STEP } else { facts.max_seq_len };
    let context = within(settings, own_context)?;
    let (Some(tokens), Some(grammars)) = (facts.tok_env(), facts.llg_factory.clone()) else {
        return Err(LoadError::new("the model has no tokenizer that could be read"));
    };
    let slots = NonZeroUsize::new(settings.slots).unwrap_or(NonZeroUsize::MIN);
    let scheduler = match facts.cache_config.clone() {
        Some(config) => SchedulerConfig::PagedAttentionMeta { max_num_seqs: slots.get(), config },
        None => SchedulerConfig::DefaultScheduler { method: DefaultSchedulerMethod::Fixed(slots) },
    };
    let is_paged = facts.cache_config.is_some();
    let runner = MistralRsBuilder::new(pipeline, scheduler, false, None)
        .with_no_prefix_cache(settings.prefix_cache == 0)
        .with_prefix_cache_n(settings.prefix_cache)
        .build()
        .await;
    Ok(Loaded {
        runner,
        model: ModelInfo {
            id: settings.id.clone(),
            context_length: u32::try_from(context).unwrap_or(u32::MAX),
            quantization,
            weights_hash,
            capabilities: Vec::new(),
        },
        context,
        vocabulary: Vocabulary::new(tokens, facts.eos_tok.clone()),
        keeps_prefixes: device.is_cpu() && !is_paged,
        mixes_batches: device.is_cpu(),
        grammars,
        thinks,
    })
}

/// The context that the operator wants, which the model must have.
pub(super) fn within(settings: &MistralSettings, own: usize) -> Result<usize, LoadError> {
    let wanted = settings.context.and_then(|context| usize::try_from(context).ok());
    match wanted {
        Some(context) if context > own => {
            Err(LoadError::new(format!("--context {context}: this model has at most {own} tokens of context")))
        }
        wanted => Ok(wanted.unwrap_or(own)),
    }
}

/// A model whose files have been read.
pub(super) struct Read {
    pub(super) pipeline: SharedPipeline,
    pub(super) device: Device,
    pub(super) quantization: String,
    pub(super) weights_hash: Option<String>,
}

fn read(settings: &MistralSettings) -> Result<Read, LoadError> {
    let fault = |error: String| LoadError::new(format!("model {}: {error}", settings.source.default_id()));
    let device = mistralrs::best_device(false).map_err(|error| fault(error.to_string()))?;
    let dtype = dtype(settings, &device)?;
    let isq = match (&settings.isq, &settings.source) {
        (Some(_), Source::Gguf(_)) => {
            return Err(LoadError::new("--isq: a GGUF file is quantized already"));
        }
        (Some(name), _) => {
            let parsed = mistralrs::parse_isq_value(name, Some(&device));
            Some(parsed.map_err(|error| LoadError::new(format!("--isq {name}: {error}")))?)
        }
        (None, _) => None,
    };
    if let Some(path) = &settings.chat_template {
        template::inspect(path)?;
    }
    let (loader, quantization) = loader(settings, dtype)?;
    let weights_hash = settings.source.weights_hash()?;
    let paged = if mistralrs::paged_attn_supported() && !device.is_cpu() {
        Some(PagedAttentionMetaBuilder::default().build().map_err(|error| fault(error.to_string()))?)
    } else {
        None
    };
    let token = match &settings.source {
        Source::Hub(_) => TokenSource::CacheToken,
        Source::Gguf(_) | Source::Folder(_) => TokenSource::None,
    };
    let mapping = DeviceMapSetting::Auto(AutoDeviceMapParams::default_text());
    let pipeline = loader
        .load_model_from_hf(None, token, &dtype, &device, true, mapping, isq, paged)
        .map_err(|error| fault(format!("{error:#}")))?;
    let quantization = settings.isq.as_ref().map_or(quantization, |isq| isq.to_uppercase());
    Ok(Read { pipeline, device, quantization, weights_hash })
}

/// F32 on a CPU: half-precision products have no fast path there, and a long prompt takes half again as long.
fn dtype(settings: &MistralSettings, device: &Device) -> Result<ModelDType, LoadError> {
    match &settings.dtype {
        Some(name) => name
            .parse()
            .map_err(|_unknown| LoadError::new(format!("--dtype {name}: unknown type; give auto, f32, f16 or bf16"))),
        None if device.is_cpu() => Ok(ModelDType::F32),
        None => Ok(ModelDType::Auto),
    }
}

/// The loader for a source, and how its weights are stored.
fn loader(settings: &MistralSettings, dtype: ModelDType) -> Result<(Box<dyn Loader>, String), LoadError> {
    let template = settings.chat_template.as_ref().map(|path| path.to_string_lossy().into_owned());
    let source = &settings.source;
    match source {
        Source::Folder(folder) if source.makes_embeddings() => {
            let id = folder.to_string_lossy().into_owned();
            let builder = EmbeddingLoaderBuilder::new(EmbeddingSpecificConfig::default(), None, Some(id));
            Ok((builder.build(None), dtype.to_string().to_uppercase()))
        }
        Source::Gguf(path) => {
            let header = gguf::inspect(path)?;
            let (Some(folder), Some(file)) = (path.parent(), path.file_name()) else {
                return Err(LoadError::new(format!("model file {}: it is not a file", path.display())));
            };
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let builder = GGUFLoaderBuilder::new(
                None,
                None,
                folder.to_string_lossy().into_owned(),
                vec![file.to_string_lossy().into_owned()],
                GGUFSpecificConfig::default(),
                false,
                template,
            );
            Ok((builder.build(), header.quantization))
        }
        Source::Folder(_) | Source::Hub(_) => {
            let id = match source {
                Source::Folder(folder) => folder.to_string_lossy().into_owned(),
                Source::Gguf(_) | Source::Hub(_) => source.default_id(),
            };
            let builder =
                NormalLoaderBuilder::new(NormalSpecificConfig::default(), None, None, Some(id), false, template);
            let loader = builder.build(None).map_err(|error| LoadError::new(format!("model: {error:#}")))?;
            Ok((loader, dtype.to_string().to_uppercase()))
        }
    }
}
