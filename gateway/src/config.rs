//! What an operator can set, and from where: defaults, then a TOML file, then `PEERWAY_SERVE_…` variables, then flags.
//!
//! An unknown field is refused, because a misspelt limit that is silently ignored is worse than a gateway that does not
//! start. Values that exclude each other are refused here too, before anything is opened.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use ipnet::IpNet;
use peerway_billing::{Database, FeeBps, Limits, Nanos, parse_network};
use peerway_p2p::parse_multiaddr;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::access::{AccessSettings, IdentityProviderConfig};
use crate::admission::AdmissionMode;
use crate::cli::LEDGER_FILE;
use crate::payments::StripeSettings;

/// Everything `peerway serve` can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServeConfig {
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// The folder that holds ledger, catalog and identity.
    pub data_dir: PathBuf,
    /// The database that keeps the ledger: `sqlite:PATH`, or `postgres://user:password@host/database`, which several
    /// gateways may share. Default `None`: a file in the data folder.
    // Never written: it may have a password.
    #[serde(skip_serializing)]
    pub database: Option<Database>,
    /// Multiaddrs on which nodes are awaited.
    pub p2p_listen: Vec<String>,
    /// Whether nodes on the same network find this gateway by mDNS.
    pub mdns: bool,
    /// Gateways that share nodes with this one: multiaddrs that end in `/p2p/` and the other's peer id, or these alone for
    /// one that dials this gateway. Each side names the other.
    pub peer_gateway: Vec<String>,
    /// Peers through which this gateway is found in the DHT: multiaddrs that end in `/p2p/` and a peer id. Peer gateways are
    /// taken for such in any case.
    pub bootstrap: Vec<String>,
    /// Multiaddrs under which peer gateways and bootstraps tell others of this gateway. None: where it listens.
    pub announce: Vec<String>,
    /// Which nodes are taken; see [`AdmissionMode`].
    pub admission: AdmissionMode,
    /// The gateway's fee on top of a node's price, in hundredths of a percent.
    pub fee_bps: u32,
    /// Requests in flight, streams included, before further ones are refused.
    pub max_in_flight: usize,
    /// Open HTTP connections before further ones wait.
    pub max_connections: usize,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// Nodes in the directory before further ones are refused.
    pub max_nodes: usize,
    /// Tokens that are reserved for an answer whose caller set no limit.
    pub default_max_tokens: u32,
    /// USD that are leased from the ledger at a time for an account in use.
    pub lease_slice_usd: String,
    /// Whether the gateway fetches pictures that callers name by `https:` URL, from public addresses only. Otherwise they
    /// send them as `data:` URLs.
    pub fetch_pictures: bool,
    /// Whether accounts may be told of their budgets at any address, also by `http:`. Otherwise at public ones, by
    /// `https:`.
    pub alerts_anywhere: bool,
    /// Seconds in which a request's body must have arrived.
    pub body_timeout_s: u64,
    /// Seconds that a node may take before the first token.
    pub first_token_timeout_s: u64,
    /// Seconds that a node may take between two tokens.
    pub next_token_timeout_s: u64,
    /// Seconds of silence after which a stream's caller is sent a comment, so that no proxy cuts the connection.
    pub keep_alive_s: u64,
    /// Seconds that running answers have to finish when the gateway stops.
    pub drain_timeout_s: u64,
    /// Seconds after which the ledger is signed again, if there is something new in it.
    pub checkpoint_every_s: u64,
    /// New transfers after which it is signed without waiting for that.
    pub checkpoint_transfers: u64,
    /// Proxies in front of this gateway. Where a connection comes from one, the caller's address is what it says in
    /// `x-forwarded-for`; otherwise nobody reads that header.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Identity providers whose tokens are believed; see [`IdentityProviderConfig`].
    pub identity_providers: Vec<IdentityProviderConfig>,
    /// Requests a minute for a key whose policy does not say, and for each person with a provider's token. None: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_requests_per_minute: Option<u64>,
    /// As before, tokens of prompts and answers a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_tokens_per_minute: Option<u64>,
    /// As before, requests at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_concurrent: Option<u32>,
    /// Pages whose scripts may ask this gateway, such as `https://app.example.com`; `*` for any, nothing for none. A key
    /// is needed in any case, and cookies count for nothing.
    pub cors_origins: Vec<String>,
    /// `text` or `json`.
    pub log_format: LogFormat,
    /// Payments by card; see [`StripeSettings`].
    pub stripe: StripeSettings,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data_dir: default_data_dir(),
            database: None,
            p2p_listen: vec!["/ip4/0.0.0.0/tcp/4100".to_owned(), "/ip4/0.0.0.0/udp/4100/quic-v1".to_owned()],
            mdns: true,
            peer_gateway: Vec::new(),
            bootstrap: Vec::new(),
            announce: Vec::new(),
            admission: AdmissionMode::Open,
            fee_bps: 500,
            max_in_flight: 8192,
            max_connections: 16_384,
            max_body_bytes: 8 << 20,
            max_nodes: 100_000,
            default_max_tokens: 4096,
            lease_slice_usd: "0.25".to_owned(),
            fetch_pictures: false,
            alerts_anywhere: false,
            body_timeout_s: 30,
            first_token_timeout_s: 120,
            next_token_timeout_s: 30,
            keep_alive_s: 10,
            drain_timeout_s: 30,
            checkpoint_every_s: 60,
            checkpoint_transfers: 10_000,
            trusted_proxies: Vec::new(),
            identity_providers: Vec::new(),
            default_requests_per_minute: None,
            default_tokens_per_minute: None,
            default_concurrent: None,
            cors_origins: vec!["*".to_owned()],
            log_format: LogFormat::Text,
            stripe: StripeSettings::default(),
        }
    }
}

/// Networks as keys' policies have them: a bare address is a network of one.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let read = |text: &String| {
        let wrong = || D::Error::custom(format!("`{text}` is neither an address nor a network such as 10.0.0.0/8"));
        parse_network(text).ok_or_else(wrong)
    };
    texts.iter().map(read).collect()
}

/// `$PEERWAY_DATA_DIR`, else `peerway` in the user's data folder, else in the current one.
#[must_use]
pub fn default_data_dir() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = set("PEERWAY_DATA_DIR") {
        return folder;
    }
    let user = set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
    user.map_or_else(|| PathBuf::from("peerway"), |folder| folder.join("peerway"))
}

/// One line that says what is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(String);

impl ServeConfig {
    /// Reads the configuration. `flags` holds what the command line sets and nothing else.
    ///
    /// # Errors
    /// `ConfigError` naming the field and where its value came from.
    pub fn load(file: Option<&Path>, flags: impl Serialize) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            if !file.is_file() {
                return Err(ConfigError(format!("{}: no such file", file.display())));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        let figment = figment
            .merge(StripeSettings::variables())
            .merge(Env::prefixed("PEERWAY_SERVE_"))
            .merge(Serialized::defaults(flags));
        // The first error says it; figment would list every source.
        let config: Self = figment.extract().map_err(|error| {
            let first = error.into_iter().next();
            ConfigError(first.map_or_else(|| "it cannot be read".to_owned(), |error| error.to_string()))
        })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.fee()?;
        self.lease_slice()?;
        self.check_access()?;
        self.stripe.rules().map_err(ConfigError)?;
        self.check_addresses()?;
        let at_least_one = [
            ("max_in_flight", self.max_in_flight as u64),
            ("max_connections", self.max_connections as u64),
            ("max_body_bytes", self.max_body_bytes as u64),
            ("max_nodes", self.max_nodes as u64),
            ("default_max_tokens", u64::from(self.default_max_tokens)),
            ("body_timeout_s", self.body_timeout_s),
            ("first_token_timeout_s", self.first_token_timeout_s),
            ("next_token_timeout_s", self.next_token_timeout_s),
            ("keep_alive_s", self.keep_alive_s),
        ];
        match at_least_one.iter().find(|(_, value)| *value == 0) {
            Some((field, _)) => Err(ConfigError(format!("{field} is 0; it must be at least 1"))),
            None if self.p2p_listen.is_empty() => {
                Err(ConfigError("p2p_listen is empty; nodes need an address to dial".to_owned()))
            }
            None => Ok(()),
        }
    }

    /// Whether every multiaddr is one. What it must end in is the peers' to say.
    fn check_addresses(&self) -> Result<(), ConfigError> {
        let lists = [
            ("p2p_listen", &self.p2p_listen),
            ("peer_gateway", &self.peer_gateway),
            ("bootstrap", &self.bootstrap),
            ("announce", &self.announce),
        ];
        for (field, addresses) in lists {
            for (place, address) in addresses.iter().enumerate() {
                parse_multiaddr(address).map_err(|error| ConfigError(format!("{field}[{place}]: {error}")))?;
            }
        }
        Ok(())
    }

    fn check_access(&self) -> Result<(), ConfigError> {
        let mut issuers = std::collections::HashSet::new();
        for (number, provider) in self.identity_providers.iter().enumerate() {
            let at = |error: String| ConfigError(format!("identity_providers[{number}].{error}"));
            provider.check().map_err(at)?;
            if !issuers.insert(&provider.issuer) {
                return Err(at(format!("issuer `{}` is there twice", provider.issuer)));
            }
        }
        let limits = [
            ("default_requests_per_minute", self.default_requests_per_minute),
            ("default_tokens_per_minute", self.default_tokens_per_minute),
            ("default_concurrent", self.default_concurrent.map(u64::from)),
        ];
        if let Some((field, _)) = limits.iter().find(|(_, limit)| *limit == Some(0)) {
            return Err(ConfigError(format!("{field} is 0; it must be at least 1, or left out for no limit")));
        }
        let is_origin = |origin: &str| {
            let host = origin.split_once("://").map(|(_, host)| host);
            origin == "*" || host.is_some_and(|host| !host.is_empty() && !host.contains('/') && host.is_ascii())
        };
        match self.cors_origins.iter().find(|origin| !is_origin(origin)) {
            Some(origin) => {
                let message =
                    format!("cors_origins: `{origin}` is no origin; write `https://app.example.com`, without a path");
                Err(ConfigError(message))
            }
            None if self.cors_origins.len() > 1 && self.cors_origins.iter().any(|origin| origin == "*") => {
                Err(ConfigError("cors_origins has `*` and others; `*` is all of them".to_owned()))
            }
            None => Ok(()),
        }
    }

    /// The database that keeps the ledger.
    #[must_use]
    pub fn ledger(&self) -> Database {
        self.database.clone().unwrap_or_else(|| Database::Sqlite(self.data_dir.join(LEDGER_FILE)))
    }

    /// Who may call.
    #[must_use]
    pub fn access(&self) -> AccessSettings {
        AccessSettings {
            trusted_proxies: self.trusted_proxies.clone(),
            identity_providers: self.identity_providers.clone(),
            default_limits: Limits {
                requests_per_minute: self.default_requests_per_minute,
                tokens_per_minute: self.default_tokens_per_minute,
                concurrent: self.default_concurrent,
            },
        }
    }

    /// The gateway's fee.
    ///
    /// # Errors
    /// Where it is above what billing takes.
    pub fn fee(&self) -> Result<FeeBps, ConfigError> {
        FeeBps::new(self.fee_bps).map_err(|error| ConfigError(format!("fee_bps: {error}")))
    }

    /// Credit leased at a time.
    ///
    /// # Errors
    /// Where it is no amount above zero.
    pub fn lease_slice(&self) -> Result<Nanos, ConfigError> {
        match self.lease_slice_usd.parse::<Nanos>() {
            Ok(slice) if slice > Nanos::ZERO => Ok(slice),
            Ok(_) => Err(ConfigError("lease_slice_usd must be above 0".to_owned())),
            Err(error) => Err(ConfigError(format!("lease_slice_usd: {error}"))),
        }
    }

    /// How long a stream may be silent before its caller is sent a comment.
    #[must_use]
    pub fn keep_alive(&self) -> Duration {
        Duration::from_secs(self.keep_alive_s)
    }

    /// How long a body may take to arrive.
    #[must_use]
    pub fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_s)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn load(toml: &str) -> Result<ServeConfig, ConfigError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(toml.as_bytes()).unwrap();
        ServeConfig::load(Some(file.path()), serde_json::json!({"mdns": false}))
    }

    #[test]
    fn a_database_is_read_and_its_password_never_shown() {
        assert_eq!(load("data_dir = '/data'").unwrap().ledger().to_string(), "sqlite:/data/ledger.sqlite");
        let config = load("database = 'postgres://gateway:hunter2@db/money'").unwrap();
        assert_eq!(config.ledger().to_string(), "postgres://db:5432/money");
        assert!(!format!("{config:?}{}", serde_json::to_string(&config).unwrap()).contains("hunter2"));
        for wrong in ["mysql://gateway:hunter2@db/money", "postgres://gateway:hunter2@db:port/money"] {
            let said = load(&format!("database = '{wrong}'")).unwrap_err().to_string();
            assert!(
                said.contains("database") && said.contains("postgres://user") && !said.contains("hunter2"),
                "{said}"
            );
        }
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let config = load("fee_bps = 100\nmdns = true").unwrap();
        assert_eq!((config.fee_bps, config.mdns, config.max_body_bytes), (100, false, 8_388_608));
    }

    #[test]
    fn mistakes_are_named_in_one_line() {
        for (toml, word) in [
            ("max_in_flite = 7", "max_in_flite"),
            ("fee_bps = \"much\"", "fee_bps"),
            ("fee_bps = 4000000", "fee_bps"),
            ("lease_slice_usd = \"-1\"", "lease_slice_usd"),
            ("lease_slice_usd = \"0\"", "lease_slice_usd"),
            ("p2p_listen = []", "p2p_listen"),
            ("p2p_listen = [\"/ip4/127.0.0.1/tcp/1\", \"/ip4/nowhere\"]", "p2p_listen[1]: `/ip4/nowhere`"),
            ("peer_gateway = [\"gateway.example.com\"]", "peer_gateway[0]"),
            ("bootstrap = [\"\"]", "bootstrap[0]"),
            ("announce = [\"/tcp\"]", "announce[0]"),
            ("admission = \"closed\"", "admission"),
            ("next_token_timeout_s = 0", "next_token_timeout_s"),
            ("trusted_proxies = [\"home\"]", "trusted_proxies"),
            ("default_concurrent = 0", "default_concurrent"),
            ("cors_origins = [\"app.example.com\"]", "cors_origins"),
            ("cors_origins = [\"*\", \"https://app.example.com\"]", "cors_origins"),
            ("[[identity_providers]]\nissuer = \"https://a.example.com\"", "audience"),
            (
                "[[identity_providers]]\nissuer = \"http://a.example.com\"\naudience = \"x\"",
                "identity_providers[0].issuer",
            ),
            ("[[identity_providers]]\nissuer = \"peerway:x\"\naudience = \"x\"", "identity_providers[0].issuer"),
            (
                "[[identity_providers]]\nissuer = \"https://a.example.com\"\naudience = \"x\"\nalgorithms = [\"HS256\"]",
                "HS256",
            ),
            (
                "[[identity_providers]]\nissuer = \"https://a.example.com\"\naudience = \"x\"\nalgorithm = [\"RS256\"]",
                "algorithm",
            ),
        ] {
            let error = load(toml).unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains('\n'), "{toml}: {error}");
        }
    }

    #[test]
    fn an_identity_provider_needs_an_issuer_and_an_audience() {
        let toml = "[[identity_providers]]\nissuer = \"https://a.example.com\"\naudience = \"peerway\"";
        let config = load(toml).unwrap();
        let [provider] = config.identity_providers.as_slice() else { panic!("{config:?}") };
        assert_eq!((provider.account_claim.as_str(), provider.scopes_claim.as_str()), ("peerway_account", "scope"));
        assert_eq!((provider.leeway_s, provider.refresh_s, provider.algorithms.len()), (30, 300, 3));
        assert!(load(&format!("{toml}\n{toml}")).unwrap_err().to_string().contains("twice"));
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let error = ServeConfig::load(Some(Path::new("/no/such.toml")), serde_json::json!({})).unwrap_err();
        assert!(error.to_string().contains("/no/such.toml"));
    }
}
