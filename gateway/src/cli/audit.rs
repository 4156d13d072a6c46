//! `peerway audit`

use clap::Args;
use peerway_billing::AccountId;

use super::Workspace;
use super::output::table;

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// The account's id
    account: AccountId,
    /// Only what came before this place in the log
    #[arg(long, value_name = "PLACE")]
    before: Option<i64>,
    /// How many changes to show, 1000 at most
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
}

pub(super) async fn run(args: AuditArgs, workspace: &Workspace) -> anyhow::Result<()> {
    let ledger = workspace.existing_ledger().await?;
    let entries = ledger.audit(&args.account, args.before, args.limit).await?;
    workspace.output.print(&entries, |entries| {
        let rows: Vec<_> = entries
            .iter()
            .map(|entry| {
                let (seq, detail) = (entry.seq.to_string(), entry.detail.to_string());
                let (at, actor, action) = (entry.at.to_string(), entry.actor.to_string(), entry.action.to_string());
                [seq, at, actor, action, entry.target.clone(), detail]
            })
            .collect();
        table(["PLACE", "WHEN", "WHO", "WHAT", "TO WHAT", "HOW"], &rows)
    })
}
