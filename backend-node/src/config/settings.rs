//! The options with every default filled in and every pair that must agree checked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{ConfigError, EngineKind, LogFormat, ModelKind, Options, Price};
use crate::engine::http::HttpSettings;
use crate::engine::{ModelInfo, capability};

/// What the node runs with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What computes the answers.
    pub engine: EngineSettings,
    /// Answers at the same time.
    pub slots: usize,
    /// Requests that may wait for a slot.
    pub queue: usize,
    /// Asking prices: input, cached input, output.
    pub prices: [Price; 3],
    /// Account that is paid. None: nobody is.
    pub operator: Option<String>,
    /// Where the node stands. None: it does not say.
    pub region: Option<String>,
    /// Gateways to dial.
    pub gateways: Vec<String>,
    /// Peers of the DHT that know gateways.
    pub bootstraps: Vec<String>,
    /// Whether to look for gateways on the LAN.
    pub mdns: bool,
    /// Folder of the identity.
    pub data_dir: PathBuf,
    /// Time for running answers when the node is told to stop.
    pub drain_timeout: Duration,
    /// File for the node's state. None: it is not written.
    pub status_file: Option<PathBuf>,
    /// What the log looks like.
    pub log_format: LogFormat,
    /// What is logged.
    pub log: String,
}

/// What computes the answers, with what that needs.
#[derive(Debug, Clone)]
pub enum EngineSettings {
    /// mistral.rs.
    #[cfg(feature = "mistral")]
    Mistral(crate::engine::mistral::MistralSettings),
    /// An OpenAI-compatible server.
    Http(HttpSettings, ModelInfo),
    /// A script.
    #[cfg(feature = "scripted")]
    Scripted {
        /// The model that it plays.
        model: ModelInfo,
        /// Directives for every request.
        script: String,
        /// Where its counters are served. None: nowhere.
        counters: Option<std::net::SocketAddr>,
    },
}

/// What the node says of itself; libraries only where something is wrong.
const DEFAULT_LOG: &str = "warn,peerway_node=info,peerway_p2p=info";

impl Settings {
    /// Checks the options and fills in the defaults.
    ///
    /// # Errors
    /// `ConfigError` naming the flag at fault.
    pub fn of(options: &Options) -> Result<Self, ConfigError> {
        let slots = options.slots.unwrap_or(4);
        if slots == 0 {
            return Err(ConfigError("--slots 0: a node needs at least one slot".to_owned()));
        }
        if options.context == Some(0) {
            return Err(ConfigError("--context 0: a model needs room for at least one token".to_owned()));
        }
        let data_dir = match &options.data_dir {
            Some(folder) => folder.clone(),
            None => default_data_dir()?,
        };
        let input = options.price_input.unwrap_or_default();
        Ok(Self {
            slots: usize::from(slots),
            queue: usize::from(options.queue.unwrap_or(slots)),
            prices: [input, options.price_cached.unwrap_or(input), options.price_output.unwrap_or_default()],
            operator: options.operator.clone(),
            region: options.region.clone(),
            mdns: options.mdns.unwrap_or(options.gateway.is_empty() && options.bootstrap.is_empty()),
            gateways: options.gateway.clone(),
            bootstraps: options.bootstrap.clone(),
            data_dir,
            drain_timeout: seconds(options.drain_timeout, 30),
            status_file: options.status_file.clone(),
            log_format: options.log_format.unwrap_or_default(),
            log: options.log.clone().unwrap_or_else(|| DEFAULT_LOG.to_owned()),
            engine: engine(options, usize::from(slots))?,
        })
    }
}

fn engine(options: &Options, slots: usize) -> Result<EngineSettings, ConfigError> {
    let kind = options.engine.unwrap_or(EngineKind::Mistral);
    let foreign = match kind {
        EngineKind::Mistral if options.upstream.is_some() => Some("--upstream is for --engine http"),
        EngineKind::Mistral if options.model_kind.is_some() => {
            Some("--model-kind is for --engine http; mistral.rs sees for itself what a model makes")
        }
        EngineKind::Mistral if !options.capability.is_empty() => {
            Some("--capability is for --engine http; mistral.rs sees for itself what a model can do")
        }
        EngineKind::Http if options.model.is_some() => {
            Some("--model is for --engine mistral; --model-id is the public name, --upstream-model the server's")
        }
        EngineKind::Http if options.chat_template.is_some() => {
            Some("--chat-template is for --engine mistral; a server has its own")
        }
        EngineKind::Mistral | EngineKind::Http => None,
        #[cfg(feature = "scripted")]
        EngineKind::Scripted => None,
    };
    if let Some(foreign) = foreign {
        return Err(ConfigError(foreign.to_owned()));
    }
    match kind {
        EngineKind::Mistral => mistral(options, slots),
        EngineKind::Http => http(options),
        #[cfg(feature = "scripted")]
        EngineKind::Scripted => Ok(EngineSettings::Scripted {
            script: options.script.clone().unwrap_or_default(),
            counters: options.script_counters,
            model: model_info(options, "scripted")?,
        }),
    }
}

#[cfg(feature = "mistral")]
fn mistral(options: &Options, slots: usize) -> Result<EngineSettings, ConfigError> {
    use crate::engine::mistral::{MistralSettings, Source};

    let Some(model) = &options.model else {
        return Err(ConfigError("--model is missing: give a GGUF file, a folder or a Hugging Face id".to_owned()));
    };
    let source = Source::of(model);
    let id = options.model_id.clone().unwrap_or_else(|| source.default_id());
    Ok(EngineSettings::Mistral(MistralSettings {
        source,
        id,
        context: options.context,
        slots,
        dtype: options.dtype.clone(),
        isq: options.isq.clone(),
        prefix_cache: usize::from(options.prefix_cache.unwrap_or(16)),
        chat_template: options.chat_template.clone(),
    }))
}

#[cfg(not(feature = "mistral"))]
fn mistral(_options: &Options, _slots: usize) -> Result<EngineSettings, ConfigError> {
    Err(ConfigError("--engine mistral: this build is without mistral.rs".to_owned()))
}

fn http(options: &Options) -> Result<EngineSettings, ConfigError> {
    let Some(upstream) = options.upstream.clone() else {
        return Err(ConfigError("--upstream is missing: give the server's base URL".to_owned()));
    };
    let Some(name) = options.model_id.as_ref().or(options.upstream_model.as_ref()) else {
        return Err(ConfigError("--model-id is missing: give the public name of the model".to_owned()));
    };
    let mut settings = HttpSettings::new(upstream);
    settings.model.clone_from(&options.upstream_model);
    settings.key = match (&options.upstream_key, &options.upstream_key_file) {
        (Some(_), Some(_)) => {
            return Err(ConfigError("--upstream-key and --upstream-key-file exclude each other".to_owned()));
        }
        (Some(key), None) => Some(key.clone()),
        (None, Some(path)) => Some(read_key(path)?),
        (None, None) => None,
    };
    settings.first_byte_timeout = seconds(options.upstream_timeout, 300);
    settings.idle_timeout = seconds(options.upstream_idle_timeout, 60);
    Ok(EngineSettings::Http(settings, model_info(options, name)?))
}

fn model_info(options: &Options, name: &str) -> Result<ModelInfo, ConfigError> {
    Ok(ModelInfo {
        id: options.model_id.clone().unwrap_or_else(|| name.to_owned()),
        context_length: options.context.unwrap_or(8192),
        quantization: options.quantization.clone().unwrap_or_else(|| "unknown".to_owned()),
        weights_hash: None,
        capabilities: capabilities(options)?,
    })
}

/// What a usual server can do, and what its operator says besides.
fn capabilities(options: &Options) -> Result<Vec<String>, ConfigError> {
    if let Some(unknown) = options.capability.iter().find(|name| !capability::DECLARABLE.contains(&name.as_str())) {
        let known = capability::DECLARABLE.join(", ");
        return Err(ConfigError(format!("--capability {unknown}: unknown capability; give {known}")));
    }
    match options.model_kind.unwrap_or_default() {
        ModelKind::Embeddings if !options.capability.is_empty() => {
            Err(ConfigError("--capability: a model that makes embeddings does nothing else".to_owned()))
        }
        ModelKind::Embeddings => Ok(vec![capability::EMBEDDINGS.to_owned()]),
        ModelKind::Chat => {
            let mut all = capability::ALL.map(str::to_owned).to_vec();
            for name in &options.capability {
                if !all.contains(name) {
                    all.push(name.clone());
                }
            }
            Ok(all)
        }
    }
}

fn read_key(path: &Path) -> Result<String, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError(format!("--upstream-key-file {}: {error}", path.display())))?;
    let key = text.trim();
    if key.is_empty() {
        return Err(ConfigError(format!("--upstream-key-file {}: the file is empty", path.display())));
    }
    Ok(key.to_owned())
}

fn default_data_dir() -> Result<PathBuf, ConfigError> {
    let folder = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")));
    let base =
        base.ok_or_else(|| ConfigError("--data-dir is missing, and there is no HOME to put it in".to_owned()))?;
    Ok(base.join("peerway-node"))
}

fn seconds(given: Option<u32>, default: u32) -> Duration {
    Duration::from_secs(u64::from(given.unwrap_or(default)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn settings(flags: &[&str]) -> Result<Settings, ConfigError> {
        let arguments = ["peerway-node", "--data-dir", "/tmp/x"].into_iter().chain(flags.iter().copied());
        Settings::of(&Options::try_parse_from(arguments).unwrap())
    }

    #[test]
    fn defaults_follow_from_what_is_given() {
        let upstream = ["--engine", "http", "--upstream", "http://h/v1", "--model-id", "m", "--price-input", "0.2"];
        let found = settings(&upstream).unwrap();
        assert!(found.mdns);
        assert_eq!((found.slots, found.queue), (4, 4));
        assert_eq!(found.prices.map(Price::nano_usd), [200_000_000, 200_000_000, 0]);
        let dialled = settings(&[&upstream[..], &["--gateway", "/ip4/127.0.0.1/tcp/1"]].concat()).unwrap();
        assert!(!dialled.mdns);
        let bootstrap = ["--bootstrap", "/ip4/127.0.0.1/tcp/1"];
        assert!(!settings(&[&upstream[..], &bootstrap].concat()).unwrap().mdns);
    }

    #[test]
    fn an_operator_says_what_the_servers_model_is() {
        let capabilities = |more: &[&'static str]| {
            let flags = ["--engine", "http", "--upstream", "http://h/v1", "--model-id", "m"];
            let EngineSettings::Http(_, model) = settings(&[&flags[..], more].concat()).unwrap().engine else {
                panic!("another engine")
            };
            model.capabilities
        };
        assert_eq!(capabilities(&["--model-kind", "embeddings"]), ["embeddings"]);
        let usual = capabilities(&[]);
        assert!(usual.contains(&"completions".to_owned()) && !usual.contains(&"image_input".to_owned()));
        let seeing = capabilities(&["--capability", "image_input,audio_input", "--capability", "image_input"]);
        assert_eq!(seeing[usual.len()..], ["image_input", "audio_input"]);
    }

    #[test]
    fn what_does_not_fit_together_is_named() {
        let upstream = ["--engine", "http", "--upstream", "http://h/v1", "--model-id", "m"];
        let with = |more: &[&'static str]| [&upstream[..], more].concat();
        let declared = [
            (with(&["--capability", "sight"]), "image_input"),
            (with(&["--model-kind", "embeddings", "--capability", "image_input"]), "--capability"),
            (with(&["--chat-template", "x.jinja"]), "--chat-template"),
            (vec!["--model", "x.gguf", "--model-kind", "chat"], "--model-kind"),
            (vec!["--model", "x.gguf", "--capability", "image_input"], "--capability"),
        ];
        for (flags, named) in declared {
            let message = settings(&flags).unwrap_err().to_string();
            assert!(message.contains(named) && !message.contains('\n'), "{flags:?}: {message}");
        }
        let cases: [(&[&str], &str); 6] = [
            (&["--engine", "http", "--model-id", "m"], "--upstream"),
            (&["--engine", "http", "--upstream", "http://h/v1"], "--model-id"),
            (&["--engine", "http", "--upstream", "http://h/v1", "--model", "x.gguf"], "--model"),
            (&["--slots", "0"], "--slots"),
            (&["--context", "0"], "--context"),
            (
                &["--engine", "http", "--upstream", "http://h", "--model-id", "m", "--upstream-key-file", "/nowhere"],
                "/nowhere",
            ),
        ];
        for (flags, named) in cases {
            let message = settings(flags).unwrap_err().to_string();
            assert!(message.contains(named) && !message.contains('\n'), "{flags:?}: {message}");
        }
    }
}
