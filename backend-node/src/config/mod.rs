//! What an operator sets, and where: flags, environment, file.
//!
//! One struct is the flags, the environment (by clap) and the file (by figment), so a setting cannot exist in one place and
//! be forgotten in another. Flags win over the environment, the environment over the file, the file over the defaults.

mod options;
mod price;
mod settings;

use figment::Figment;
use figment::providers::{Format, Serialized, Toml};

pub use options::{EngineKind, LogFormat, ModelKind, Options};
pub use price::{Price, PriceError};
pub use settings::{EngineSettings, Settings};

/// A setting that cannot be used. Its text is one line for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

impl Options {
    /// Fills what flags and environment left open from the file that they name, if they name one.
    ///
    /// # Errors
    /// `ConfigError` where the file cannot be read, is no TOML, or has a field that does not exist or has a wrong type.
    pub fn with_file(self) -> Result<Self, ConfigError> {
        let Some(path) = self.config.clone() else { return Ok(self) };
        if !path.is_file() {
            return Err(ConfigError(format!("config file {}: there is no such file", path.display())));
        }
        Figment::new()
            .merge(Toml::file_exact(&path))
            .merge(Serialized::defaults(&self))
            .extract()
            .map_err(|error| ConfigError(format!("config file {}: {}", path.display(), one_line(&error))))
    }
}

/// figment's error without its list of sources, which are always the same file here.
fn one_line(error: &figment::Error) -> String {
    let field = if error.path.is_empty() { String::new() } else { format!("`{}`: ", error.path.join(".")) };
    let kind = error.kind.to_string().replace('\n', " ");
    let kind = kind.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{field}{kind}")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use clap::Parser;

    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn options(text: &str, flags: &[&str]) -> Result<Options, ConfigError> {
        let file = file(text);
        let path = file.path().to_str().unwrap();
        let arguments = ["peerway-node", "--config", path].into_iter().chain(flags.iter().copied());
        Options::try_parse_from(arguments).unwrap().with_file()
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_nothing() {
        let text = "slots = 2\nqueue = 3\nprice_input = \"0.05\"\ngateway = [\"/ip4/127.0.0.1/tcp/1\"]\n";
        let options = options(text, &["--slots", "7"]).unwrap();
        assert_eq!((options.slots, options.queue), (Some(7), Some(3)));
        assert_eq!(options.price_input.unwrap().nano_usd(), 50_000_000);
        assert_eq!(options.gateway, ["/ip4/127.0.0.1/tcp/1"]);
    }

    #[test]
    fn a_fault_in_the_file_is_one_line_that_names_it() {
        let cases = [
            ("slotz = 2", "slotz"),
            ("slots = \"many\"", "slots"),
            ("slots = -1", "slots"),
            ("price_input = \"free\"", "price_input"),
            ("engine = \"vllm\"", "vllm"),
            ("slots = ", "config file"),
        ];
        for (text, named) in cases {
            let message = options(text, &[]).unwrap_err().to_string();
            assert!(message.contains(named) && !message.contains('\n'), "{text}: {message}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let options = Options::try_parse_from(["peerway-node", "--config", "/nowhere/node.toml"]).unwrap();
        assert!(options.with_file().unwrap_err().to_string().contains("/nowhere/node.toml"));
    }
}
