//! `peerway key …`

use std::time::Duration;

use clap::{Args, Subcommand};
use peerway_billing::{
    AccountId, Actor, KeyChange, KeyId, KeyPolicy, KeyRecord, KeyTerms, KeyUsage, NewKey, Timestamp,
};
use serde::Serialize;

use super::Workspace;
use super::moment::span;
use super::output::table;
use super::policy::{Bound, PolicyFlags};

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key; it is shown this once
    Create(Box<CreateArgs>),
    /// Show a key, what it may do and what it has spent
    Show {
        /// The key's id, such as key_…
        key: KeyId,
    },
    /// Change what a key may do; counts within a second
    Update(Box<UpdateArgs>),
    /// Put a new key in the place of one, which works on for a while
    Rotate {
        /// The key's id
        key: KeyId,
        /// How long the old key works on: 90s, 30m, 12h, 7d
        #[arg(long, value_name = "SPAN", default_value = "0s", value_parser = span)]
        overlap: Duration,
    },
    /// List keys, without their secrets
    List {
        /// Only this account's
        account: Option<AccountId>,
    },
    /// Stop a key from working, within a second and for good
    Revoke {
        /// The key's id
        key: KeyId,
    },
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// The account whose credit it spends
    account: AccountId,
    /// What its owner calls it
    #[arg(long, default_value = "key")]
    name: String,
    #[command(flatten)]
    policy: PolicyFlags,
}

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    /// The key's id
    key: KeyId,
    /// What its owner calls it
    #[arg(long)]
    name: Option<String>,
    /// A bound to take away; may be given more than once
    #[arg(long, value_name = "BOUND", value_enum)]
    clear: Vec<Bound>,
    #[command(flatten)]
    policy: PolicyFlags,
}

#[derive(Debug, Serialize)]
struct Created<'a> {
    #[serde(flatten)]
    record: &'a KeyRecord,
    secret: &'a str,
}

#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    record: KeyRecord,
    state: &'static str,
    usage: KeyUsage,
}

pub(super) async fn run(command: KeyCommand, workspace: &Workspace) -> anyhow::Result<()> {
    let ledger = workspace.existing_ledger().await?;
    let (actor, now) = (Actor::operator(), ledger.clock().now());
    match command {
        KeyCommand::Create(create) => {
            let policy = create.policy.apply(KeyPolicy::default(), now)?;
            let terms = KeyTerms { account: create.account, name: create.name, policy };
            print_new(workspace, &ledger.create_key(terms, &actor).await?)
        }
        KeyCommand::Show { key } => {
            let record = ledger.key(&key).await?;
            let usage = ledger.key_usage(&key).await?;
            let shown = Shown { state: record.state(now).as_str(), record, usage };
            workspace.output.print(&shown, describe)
        }
        KeyCommand::Update(update) => {
            let mut policy = ledger.key(&update.key).await?.policy;
            update.clear.iter().for_each(|bound| bound.clear(&mut policy));
            let policy = Some(update.policy.apply(policy, now)?);
            let record = ledger.update_key(&update.key, KeyChange { name: update.name, policy }, &actor).await?;
            workspace.output.print(&record, |record| format!("{} is changed", record.id))
        }
        KeyCommand::Rotate { key, overlap } => print_new(workspace, &ledger.rotate_key(&key, overlap, &actor).await?),
        KeyCommand::List { account } => {
            let keys = ledger.list_keys(account.as_ref()).await?;
            workspace.output.print(&keys, |keys| list(keys, now))
        }
        KeyCommand::Revoke { key } => {
            let record = ledger.revoke_key(&key, &actor).await?;
            workspace.output.print(&record, |record| format!("{} is revoked", record.id))
        }
    }
}

fn print_new(workspace: &Workspace, key: &NewKey) -> anyhow::Result<()> {
    let created = Created { record: &key.record, secret: key.secret.expose() };
    workspace.output.print(&created, |created| created.secret.to_owned())
}

fn list(keys: &[KeyRecord], now: Timestamp) -> String {
    let row = |key: &KeyRecord| {
        [
            key.id.to_string(),
            key.account.to_string(),
            key.name.clone(),
            format!("{}…", key.prefix),
            key.created_at.to_string(),
            key.policy.expires_at.map_or_else(|| "never".to_owned(), |at| at.to_string()),
            key.state(now).to_string(),
        ]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    table(["KEY", "ACCOUNT", "NAME", "BEGINS", "MADE", "EXPIRES", "STATE"], &rows)
}

fn describe(shown: &Shown) -> String {
    let Shown { record, state, usage } = shown;
    let policy = &record.policy;
    let or = |value: Option<String>, none: &str| value.unwrap_or_else(|| none.to_owned());
    let scopes: Vec<&str> = policy.scopes.iter().map(|scope| scope.as_str()).collect();
    let networks = |all: &Vec<_>| all.iter().map(ToString::to_string).collect::<Vec<String>>().join(" ");
    let spent = |used: peerway_billing::Nanos, limit: Option<peerway_billing::Nanos>| match limit {
        Some(limit) => format!("{used} of {limit}"),
        None => used.to_string(),
    };
    let lines = [
        ("key", record.id.to_string()),
        ("account", record.account.to_string()),
        ("name", record.name.clone()),
        ("begins", format!("{}…", record.prefix)),
        ("state", (*state).to_owned()),
        ("made", record.created_at.to_string()),
        ("expires", or(policy.expires_at.map(|at| at.to_string()), "never")),
        ("revoked", or(record.revoked_at.map(|at| at.to_string()), "no")),
        ("scopes", scopes.join(" ")),
        ("models", or(policy.models.as_ref().map(|models| models.join(" ")), "all")),
        ("from", or(policy.allowed_ips.as_ref().map(networks), "anywhere")),
        ("requests/min", or(policy.limits.requests_per_minute.map(|limit| limit.to_string()), "the gateway's default")),
        ("tokens/min", or(policy.limits.tokens_per_minute.map(|limit| limit.to_string()), "the gateway's default")),
        ("at a time", or(policy.limits.concurrent.map(|limit| limit.to_string()), "the gateway's default")),
        ("today", spent(usage.day, policy.budgets.day)),
        ("this week", spent(usage.week, policy.budgets.week)),
        ("this month", spent(usage.month, policy.budgets.month)),
        ("ever", spent(usage.total, policy.budgets.lifetime)),
    ];
    lines.map(|(name, value)| format!("{name:<13} {value}")).join("\n")
}
