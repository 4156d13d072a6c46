//! `peerway account …`

use clap::Subcommand;
use peerway_billing::{Account, AccountId, Actor, Receipt};
use serde::Serialize;

use super::Workspace;
use super::output::table;

/// Requests shown with an account.
const SHOWN_CHARGES: u32 = 10;
/// Accounts read at a time.
const PAGE: u32 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// Open an account
    Create {
        /// What its owner calls it
        name: String,
    },
    /// Show an account's balance and its latest requests
    Show {
        /// The account's id, such as acct_…
        account: AccountId,
    },
    /// List all accounts
    List,
}

#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    account: Account,
    latest: Vec<Receipt>,
}

pub(super) async fn run(command: AccountCommand, workspace: &Workspace) -> anyhow::Result<()> {
    match command {
        AccountCommand::Create { name } => {
            let account = workspace.ledger().await?.create_account(&name, &Actor::operator()).await?;
            workspace.output.print(&account, |account| account.id.to_string())
        }
        AccountCommand::Show { account } => {
            let ledger = workspace.existing_ledger().await?;
            let shown = Shown {
                account: ledger.account(&account).await?,
                latest: ledger.charges(&account, SHOWN_CHARGES).await?,
            };
            workspace.output.print(&shown, describe)
        }
        AccountCommand::List => {
            let ledger = workspace.existing_ledger().await?;
            let mut accounts: Vec<Account> = Vec::new();
            loop {
                let page = ledger.accounts(accounts.last().map(|account| &account.id), PAGE).await?;
                if page.is_empty() {
                    break;
                }
                accounts.extend(page);
            }
            workspace.output.print(&accounts, |accounts| {
                let rows: Vec<_> = accounts
                    .iter()
                    .map(|account| {
                        let balance = account.balance;
                        [
                            account.id.to_string(),
                            account.name.clone(),
                            balance.posted.to_string(),
                            balance.held.to_string(),
                            balance.available.to_string(),
                        ]
                    })
                    .collect();
                table(["ACCOUNT", "NAME", "BALANCE", "HELD", "AVAILABLE"], &rows)
            })
        }
    }
}

fn describe(shown: &Shown) -> String {
    let account = &shown.account;
    let rows: Vec<_> = shown
        .latest
        .iter()
        .map(|receipt| {
            [
                receipt.created_at.to_string(),
                receipt.request.to_string(),
                receipt.model.clone(),
                receipt.billed.prompt().to_string(),
                receipt.billed.completion().to_string(),
                receipt.paid.total.to_string(),
            ]
        })
        .collect();
    format!(
        "account    {}\nname       {}\nopened     {}\nfrozen     {}\nbalance    {}\nheld       {}\navailable  {}\n\n{}",
        account.id,
        account.name,
        account.created_at,
        if account.frozen { "yes" } else { "no" },
        account.balance.posted,
        account.balance.held,
        account.balance.available,
        table(["WHEN", "REQUEST", "MODEL", "PROMPT", "COMPLETION", "COST"], &rows),
    )
}
