//! `peerway credit …`

use clap::Subcommand;
use peerway_billing::{AccountId, Actor, Credit, Nanos, Reference};
use serde::Serialize;
use uuid::Uuid;

use super::Workspace;

#[derive(Debug, Subcommand)]
pub(super) enum CreditCommand {
    /// Give an account credit
    Grant {
        /// The account's id
        account: AccountId,
        /// US dollars, such as 10 or 0.25, with at most 9 decimals
        amount: Nanos,
        /// What this grant is: the same reference is credited once, however often the command runs
        #[arg(long)]
        reference: Option<Reference>,
        /// Why, for people
        #[arg(long, default_value = "granted on the command line")]
        memo: String,
    },
}

#[derive(Debug, Serialize)]
struct Granted {
    account: AccountId,
    amount: Nanos,
    available: Nanos,
    repeated: bool,
}

pub(super) async fn run(command: CreditCommand, workspace: &Workspace) -> anyhow::Result<()> {
    let CreditCommand::Grant { account, amount, reference, memo } = command;
    let reference = match reference {
        Some(reference) => reference,
        None => Reference::new(format!("grant:{}", Uuid::now_v7()))?,
    };
    let ledger = workspace.existing_ledger().await?;
    let credited = ledger.credit(Credit { account, amount, reference, memo }, &Actor::operator()).await?;
    let granted = Granted {
        account: credited.account.id,
        amount,
        available: credited.account.balance.available,
        repeated: credited.repeated,
    };
    workspace.output.print(&granted, |granted| {
        let Granted { account, amount, available, repeated } = granted;
        let done = if *repeated { "was granted before; nothing changed" } else { "granted" };
        format!("{amount} {done}; {account} has {available} available")
    })
}
