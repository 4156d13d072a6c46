//! The command line: `serve` runs the gateway, everything else reads or changes its data folder, also while it runs.
//!
//! Output is for people; `--json` makes it one JSON value for programs. Errors are one line on standard error and exit
//! code 1 (2 for a command line that cannot be read).

mod account;
mod audit;
mod bootstrap;
mod credit;
mod key;
mod ledger;
mod member;
mod model;
mod moment;
mod node;
mod output;
mod payment;
mod policy;
mod proof;
mod serve;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use peerway_billing::{Database, Ledger, LedgerOptions, OpenError};

pub use output::Output;

/// The ledger's file in the data folder.
pub const LEDGER_FILE: &str = "ledger.sqlite";
/// The catalog's folder in the data folder.
pub const CATALOG_FOLDER: &str = "catalog";
/// The gateway's identity in the data folder.
pub const IDENTITY_FILE: &str = "identity.key";
/// A bootstrap's identity in the data folder. Not a gateway's: one peer id must not be two peers.
pub const BOOTSTRAP_IDENTITY_FILE: &str = "bootstrap.key";
/// Answers to requests with an `Idempotency-Key`, in the data folder.
pub const ANSWERED_FOLDER: &str = "answered";
/// What signs the tokens that are minted under keys, in the data folder.
pub const TOKEN_SECRET_FILE: &str = "token.key";
/// What signs the ledger, in the data folder.
pub const CHECKPOINT_KEY_FILE: &str = "checkpoint.key";
/// What models have cost, in the data folder.
pub const PRICES_FILE: &str = "prices.jsonl";
/// Responses that callers let be kept, in the data folder.
pub const RESPONSES_FOLDER: &str = "responses";
/// Captures that are not in the ledger yet, in the data folder.
pub const CAPTURES_FOLDER: &str = "captures";
/// The running gateway's socket in the data folder.
pub const ADMIN_SOCKET: &str = "admin.sock";

/// One base URL in front of a market of peers.
#[derive(Debug, Parser)]
#[command(name = "peerway", version, about, max_term_width = 110)]
pub struct Cli {
    /// The folder that holds ledger, catalog and identity [default: $PEERWAY_DATA_DIR, else ~/.local/share/peerway]
    #[arg(long, global = true, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// The database that keeps the ledger, sqlite:PATH or postgres://user:password@host/database [default: a file in the
    /// data folder]
    // A text, which is read later: what cannot be read would be shown here, with its password.
    #[arg(long, global = true, value_name = "URL", env = "PEERWAY_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Print one JSON value instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Serve(Box<serve::ServeArgs>),
    /// Run a peer through which nodes find gateways, and nothing else
    Bootstrap(bootstrap::BootstrapArgs),
    /// Accounts: who pays, and who is paid
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Credit that requests are paid from
    #[command(subcommand)]
    Credit(credit::CreditCommand),
    /// Payments by card that wait for a decision
    #[command(subcommand)]
    Payment(payment::PaymentCommand),
    /// Keys that callers show
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// People of an account, who sign in with an identity provider
    #[command(subcommand)]
    Member(member::MemberCommand),
    /// Who changed what on an account
    Audit(audit::AuditArgs),
    /// The ledger: is it sound, and what is in it
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// Nodes: which the running gateway knows, and which may be here
    #[command(subcommand)]
    Node(node::NodeCommand),
    /// Models that this gateway sells
    #[command(subcommand)]
    Model(model::ModelCommand),
}

/// Where a command works and how it talks.
#[derive(Debug)]
struct Workspace {
    data_dir: PathBuf,
    database: Database,
    output: Output,
}

/// Runs a command.
///
/// # Errors
/// One line for a person.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    let data_dir = cli.data_dir.clone().unwrap_or_else(crate::config::default_data_dir);
    let database = cli.database.filter(|url| !url.is_empty());
    let named = match &database {
        Some(url) => url.parse().context("--database")?,
        None => Database::Sqlite(data_dir.join(LEDGER_FILE)),
    };
    let workspace = Workspace { data_dir, database: named, output: Output::new(cli.json) };
    match cli.command {
        Command::Serve(args) => serve::run(*args, cli.data_dir, database).await,
        Command::Bootstrap(args) => bootstrap::run(args, cli.data_dir).await,
        Command::Account(command) => account::run(command, &workspace).await,
        Command::Credit(command) => credit::run(command, &workspace).await,
        Command::Payment(command) => payment::run(command, &workspace).await,
        Command::Key(command) => key::run(command, &workspace).await,
        Command::Member(command) => member::run(command, &workspace).await,
        Command::Audit(args) => audit::run(args, &workspace).await,
        Command::Ledger(command) => ledger::run(command, &workspace).await,
        Command::Node(command) => node::run(command, &workspace).await,
        Command::Model(command) => model::run(command, &workspace),
    }
}

/// Says in one line why the command failed.
#[must_use]
pub fn fail(message: &str) -> ExitCode {
    eprintln!("peerway: {}", message.replace('\n', " "));
    ExitCode::FAILURE
}

impl Workspace {
    /// The ledger, which is made where it is missing.
    async fn ledger(&self) -> anyhow::Result<Ledger> {
        prepare(&self.data_dir)?;
        Ok(Ledger::open_in(&self.database, LedgerOptions::default()).await?)
    }

    /// The ledger, which must be there.
    async fn existing_ledger(&self) -> anyhow::Result<Ledger> {
        let options = LedgerOptions { make: false, ..LedgerOptions::default() };
        match Ledger::open_in(&self.database, options).await {
            Err(error @ OpenError::Missing { .. }) => anyhow::bail!("{error}; give --data-dir or --database"),
            opened => Ok(opened?),
        }
    }
}

/// Makes the data folder.
fn prepare(data_dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(data_dir).with_context(|| format!("cannot use the data folder {}", data_dir.display()))
}
