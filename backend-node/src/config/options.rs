//! Every setting, as flags and as fields of the file.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};

use super::Price;

const EXAMPLES: &str = "\
Examples:
  A GGUF file, for gateways on the same LAN, found by mDNS:
    peerway-node --model ~/models/SmolLM2-135M-Instruct.Q8_0.gguf --price-input 0.05 --price-output 0.10

  Your own vLLM, llama.cpp or Ollama, for one gateway:
    peerway-node --engine http --upstream http://127.0.0.1:8000/v1 --upstream-model Qwen/Qwen3-8B \\
      --model-id qwen3-8b --context 32768 --price-input 0.10 --price-output 0.30 \\
      --gateway /dns/gateway.example.com/udp/4001/quic-v1

  The same from a file, in which each flag is a field with underscores for dashes:
    peerway-node --config node.toml

Exit codes: 0 after a drained stop, 1 where the node could not start or failed, 2 where a setting cannot be used.
Signals: SIGTERM or SIGINT withdraws the advert, lets running answers finish and exits; a second one exits at once.";

/// Puts this machine to work: serves a model to Peerway gateways and is paid for what it delivers.
///
/// The node dials gateways; it needs no public address and opens no port.
#[derive(Debug, Clone, Default, Parser, Serialize, Deserialize)]
#[command(name = "peerway-node", version, after_help = EXAMPLES, max_term_width = 110)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// TOML file with any of these settings; flags and environment win over it.
    #[arg(long, value_name = "PATH", env = "PEERWAY_NODE_CONFIG")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// What computes the answers [default: mistral].
    #[arg(long, help_heading = "Engine", value_name = "ENGINE", env = "PEERWAY_NODE_ENGINE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineKind>,

    /// For `mistral`: a GGUF file, a folder with safetensors, or a Hugging Face id.
    #[arg(long, help_heading = "Engine", value_name = "PATH_OR_ID", env = "PEERWAY_NODE_MODEL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,

    /// The public name of the model, which callers ask for [default: the name of the file, folder or hub id].
    #[arg(long, help_heading = "Engine", value_name = "NAME", env = "PEERWAY_NODE_MODEL_ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,

    /// Tokens of prompt and answer together, at most what the model was made for [default: that; for `http` 8192].
    #[arg(long, help_heading = "Engine", value_name = "TOKENS", env = "PEERWAY_NODE_CONTEXT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<u32>,

    /// Answers computed at the same time; mistral.rs on a CPU does one, and the rest wait [default: 4].
    #[arg(long, help_heading = "Engine", value_name = "COUNT", env = "PEERWAY_NODE_SLOTS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u16>,

    /// Requests that wait for a slot; beyond it a request is refused at once [default: as many as slots].
    #[arg(long, help_heading = "Engine", value_name = "COUNT", env = "PEERWAY_NODE_QUEUE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<u16>,

    /// For `mistral`: type of the activations: auto, f32, f16 or bf16 [default: f32 on a CPU, auto elsewhere].
    #[arg(long, help_heading = "Engine: mistral", value_name = "TYPE", env = "PEERWAY_NODE_DTYPE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,

    /// For `mistral` with a folder or hub id: quantize while loading, for example q8_0 or q4k [default: as stored].
    #[arg(long, help_heading = "Engine: mistral", value_name = "TYPE", env = "PEERWAY_NODE_ISQ")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isq: Option<String>,

    /// For `mistral`: finished conversations whose state is kept for their next turn; 0 keeps none [default: 16].
    #[arg(long, help_heading = "Engine: mistral", value_name = "COUNT", env = "PEERWAY_NODE_PREFIX_CACHE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_cache: Option<u16>,

    /// For `mistral`: a Jinja template for conversations, in a file that ends with .jinja, in place of the model's own, for
    /// example one that shows tools [default: the model's own].
    #[arg(long, help_heading = "Engine: mistral", value_name = "PATH", env = "PEERWAY_NODE_CHAT_TEMPLATE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_template: Option<PathBuf>,

    /// For `http`: what the server's model makes: chat (any text) or embeddings [default: chat].
    #[arg(long, help_heading = "Engine: http", value_name = "KIND", env = "PEERWAY_NODE_MODEL_KIND")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_kind: Option<ModelKind>,

    /// For `http`: what the server's model can do that most cannot: image_input, audio_input or reasoning_effort; may be
    /// given several times.
    #[arg(
        long,
        help_heading = "Engine: http",
        value_name = "NAME",
        env = "PEERWAY_NODE_CAPABILITY",
        value_delimiter = ','
    )]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capability: Vec<String>,

    /// For `http`: base URL of the OpenAI-compatible server, as a client would be given it.
    #[arg(long, help_heading = "Engine: http", value_name = "URL", env = "PEERWAY_NODE_UPSTREAM")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,

    /// For `http`: the server's name for the model [default: the public name].
    #[arg(long, help_heading = "Engine: http", value_name = "NAME", env = "PEERWAY_NODE_UPSTREAM_MODEL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_model: Option<String>,

    /// For `http`: the server's key. A process list shows flags: prefer the environment or --upstream-key-file.
    #[arg(
        long,
        help_heading = "Engine: http",
        value_name = "KEY",
        env = "PEERWAY_NODE_UPSTREAM_KEY",
        hide_env_values = true
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_key: Option<String>,

    /// For `http`: file that holds the server's key.
    #[arg(long, help_heading = "Engine: http", value_name = "PATH", env = "PEERWAY_NODE_UPSTREAM_KEY_FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_key_file: Option<PathBuf>,

    /// For `http`: seconds to wait for the first byte of an answer [default: 300].
    #[arg(long, help_heading = "Engine: http", value_name = "SECONDS", env = "PEERWAY_NODE_UPSTREAM_TIMEOUT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_timeout: Option<u32>,

    /// For `http`: seconds of silence inside an answer after which it is given up [default: 60].
    #[arg(long, help_heading = "Engine: http", value_name = "SECONDS", env = "PEERWAY_NODE_UPSTREAM_IDLE_TIMEOUT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_idle_timeout: Option<u32>,

    /// For `http`: how the server's weights are stored, shown to callers who choose by it [default: unknown].
    #[arg(long, help_heading = "Engine: http", value_name = "NAME", env = "PEERWAY_NODE_QUANTIZATION")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantization: Option<String>,

    /// For `scripted`: directives for every request, for example "[[every=5ms]]".
    #[cfg(feature = "scripted")]
    #[arg(long, help_heading = "Engine: scripted", value_name = "TEXT", env = "PEERWAY_NODE_SCRIPT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,

    /// For `scripted`: address on which the engine's counters are served as JSON, for example 127.0.0.1:9101.
    #[cfg(feature = "scripted")]
    #[arg(long, help_heading = "Engine: scripted", value_name = "ADDRESS", env = "PEERWAY_NODE_SCRIPT_COUNTERS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script_counters: Option<std::net::SocketAddr>,

    /// Asking price of input, in USD per million tokens, exact to nine digits [default: 0].
    #[arg(long, help_heading = "Prices", value_name = "USD", env = "PEERWAY_NODE_PRICE_INPUT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_input: Option<Price>,

    /// Asking price of input that the node had cached, in USD per million tokens [default: that of input].
    #[arg(long, help_heading = "Prices", value_name = "USD", env = "PEERWAY_NODE_PRICE_CACHED")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_cached: Option<Price>,

    /// Asking price of output, in USD per million tokens [default: 0].
    #[arg(long, help_heading = "Prices", value_name = "USD", env = "PEERWAY_NODE_PRICE_OUTPUT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_output: Option<Price>,

    /// Account that is paid for this node's work [default: none, the node works for free].
    #[arg(long, help_heading = "Prices", value_name = "ACCOUNT", env = "PEERWAY_NODE_OPERATOR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,

    /// Where the node stands, shown to callers who choose by it, for example eu-west.
    #[arg(long, help_heading = "Network", value_name = "NAME", env = "PEERWAY_NODE_REGION")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,

    /// Multiaddr of a gateway, with or without /p2p/…; may be given several times.
    #[arg(
        long,
        help_heading = "Network",
        value_name = "MULTIADDR",
        env = "PEERWAY_NODE_GATEWAY",
        value_delimiter = ','
    )]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateway: Vec<String>,

    /// Multiaddr of a peer that knows gateways, ending in /p2p/ and its peer id; may be given several times.
    #[arg(
        long,
        help_heading = "Network",
        value_name = "MULTIADDR",
        env = "PEERWAY_NODE_BOOTSTRAP",
        value_delimiter = ','
    )]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bootstrap: Vec<String>,

    /// Look for gateways on the LAN [default: only where neither --gateway nor --bootstrap is given].
    #[arg(
        long,
        help_heading = "Network",
        value_name = "BOOL",
        env = "PEERWAY_NODE_MDNS",
        num_args = 0..=1,
        default_missing_value = "true",
        require_equals = true
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mdns: Option<bool>,

    /// Folder for the node's identity; made where it is missing [default: $XDG_DATA_HOME/peerway-node].
    #[arg(long, help_heading = "Running", value_name = "PATH", env = "PEERWAY_NODE_DATA_DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,

    /// Seconds that running answers get to finish when the node is told to stop [default: 30].
    #[arg(long, help_heading = "Running", value_name = "SECONDS", env = "PEERWAY_NODE_DRAIN_TIMEOUT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_timeout: Option<u32>,

    /// File kept up to date with the node's state as JSON: pid, peer id, gateways, models, load.
    #[arg(long, help_heading = "Running", value_name = "PATH", env = "PEERWAY_NODE_STATUS_FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_file: Option<PathBuf>,

    /// What the log looks like: text or json [default: text].
    #[arg(long, help_heading = "Running", value_name = "FORMAT", env = "PEERWAY_NODE_LOG_FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,

    /// What is logged, as a tracing filter; prompts and answers never are [default:
    /// warn,peerway_node=info,peerway_p2p=info].
    #[arg(long, help_heading = "Running", value_name = "FILTER", env = "PEERWAY_NODE_LOG")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// What computes the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// mistral.rs, in this process.
    Mistral,
    /// An OpenAI-compatible server that runs already.
    Http,
    /// A script, for tests.
    #[cfg(feature = "scripted")]
    Scripted,
}

/// What a model makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Text, in conversations and after prompts.
    #[default]
    Chat,
    /// Vectors.
    Embeddings,
}

/// What the log looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line of text an event.
    #[default]
    Text,
    /// A line of JSON an event.
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn help_tells_of_every_setting_and_its_variable() {
        let mut command = Options::command();
        command.build();
        let help = command.render_long_help().to_string();
        for argument in command.get_arguments() {
            let Some(long) = argument.get_long() else { continue };
            assert!(help.contains(&format!("--{long}")), "{long}");
            assert!(argument.get_help().is_some(), "--{long} has no help");
            if !matches!(long, "help" | "version") {
                let variable = format!("PEERWAY_NODE_{}", long.to_uppercase().replace('-', "_"));
                assert!(help.contains(&variable), "{variable}");
            }
        }
        for part in ["Examples:", "Exit codes:", "Signals:", "USD per million tokens", "SECONDS"] {
            assert!(help.contains(part), "{part}");
        }
    }

    #[test]
    fn flags_are_refused_where_they_make_no_sense() {
        for flags in [["--slots", "-1"], ["--price-input", "free"], ["--engine", "vllm"], ["--slotz", "1"]] {
            let arguments = ["peerway-node"].into_iter().chain(flags);
            assert!(Options::try_parse_from(arguments).is_err(), "{flags:?}");
        }
    }
}
