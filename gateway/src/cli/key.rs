//! `peerway key …`

use clap::Subcommand;
use peerway_billing::{AccountId, KeyId, KeyRecord};
use serde::Serialize;

use super::Workspace;
use super::output::table;

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key; it is shown this once
    Create {
        /// The account whose credit it spends
        account: AccountId,
        /// What its owner calls it
        #[arg(long, default_value = "key")]
        name: String,
    },
    /// List keys, without their secrets
    List {
        /// Only this account's
        account: Option<AccountId>,
    },
    /// Stop a key from working, within a second and for good
    Revoke {
        /// The key's id, such as key_…
        key: KeyId,
    },
}

#[derive(Debug, Serialize)]
struct Created<'a> {
    #[serde(flatten)]
    record: &'a KeyRecord,
    secret: &'a str,
}

pub(super) async fn run(command: KeyCommand, workspace: &Workspace) -> anyhow::Result<()> {
    let ledger = workspace.existing_ledger().await?;
    match command {
        KeyCommand::Create { account, name } => {
            let key = ledger.create_key(&account, &name).await?;
            let created = Created { record: &key.record, secret: key.secret.expose() };
            workspace.output.print(&created, |created| created.secret.to_owned())
        }
        KeyCommand::List { account } => {
            let keys = ledger.list_keys(account.as_ref()).await?;
            workspace.output.print(&keys, |keys| {
                let rows: Vec<_> = keys
                    .iter()
                    .map(|key| {
                        let revoked = key.revoked_at.map_or_else(|| "no".to_owned(), |at| at.to_string());
                        [
                            key.id.to_string(),
                            key.account.to_string(),
                            key.name.clone(),
                            format!("{}…", key.prefix),
                            key.created_at.to_string(),
                            revoked,
                        ]
                    })
                    .collect();
                table(["KEY", "ACCOUNT", "NAME", "BEGINS", "MADE", "REVOKED"], &rows)
            })
        }
        KeyCommand::Revoke { key } => {
            let record = ledger.revoke_key(&key).await?;
            workspace.output.print(&record, |record| format!("{} is revoked", record.id))
        }
    }
}
