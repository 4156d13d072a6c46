//! `peerway ledger …`

use anyhow::{Context, bail};
use clap::Subcommand;
use peerway_billing::{Checkpoint, VerifyReport};

use super::proof::{self, CheckProofArgs};
use super::{CHECKPOINT_KEY_FILE, Workspace};
use crate::signer::Signer;

#[derive(Debug, Subcommand)]
pub(super) enum LedgerCommand {
    /// Recompute every sum, balance, hold, hash and checkpoint; fails where anything does not agree
    Verify,
    /// Print everything as JSON lines
    Export,
    /// Sign how far the log has come, if there is something new, and print the newest checkpoint
    Checkpoint,
    /// Check a proof that a request is in the ledger as it was charged; asks nobody
    CheckProof(CheckProofArgs),
}

pub(super) async fn run(command: LedgerCommand, workspace: &Workspace) -> anyhow::Result<()> {
    match command {
        LedgerCommand::Verify => {
            let report = workspace.existing_ledger().await?.verify().await?;
            workspace.output.print(&report, describe)?;
            if !report.is_clean() {
                bail!("the ledger does not agree with itself: {} findings", report.findings.len());
            }
            Ok(())
        }
        LedgerCommand::Export => {
            let ledger = workspace.existing_ledger().await?;
            ledger.export(std::io::BufWriter::new(std::io::stdout())).await?;
            Ok(())
        }
        LedgerCommand::Checkpoint => {
            let ledger = workspace.existing_ledger().await?;
            let signer = Signer::open(ledger.clone(), &workspace.data_dir.join(CHECKPOINT_KEY_FILE))?;
            let newest = signer.sign().await?.context("there is nothing in the ledger to sign")?;
            ledger.close().await;
            workspace.output.print(&newest, told)
        }
        LedgerCommand::CheckProof(args) => proof::run(&args, workspace.output),
    }
}

fn told(checkpoint: &Checkpoint) -> String {
    let Checkpoint { seq, hash, root, at, key, signature } = checkpoint;
    format!(
        "entries    {seq}\nhash       {hash}\nroot       {root}\nsigned     {at}\nkey        {key}\nsignature  {signature}"
    )
}

fn describe(report: &VerifyReport) -> String {
    let mut lines = vec![format!(
        "{} transfers, {} accounts, {} holds and {} checkpoints checked; head {} {}",
        report.transfers, report.accounts, report.holds, report.checkpoints, report.head.seq, report.head.hash
    )];
    lines.extend(report.checkpoint_keys.iter().map(|key| format!("checkpoints are signed with key {key}")));
    lines.extend(
        report
            .findings
            .iter()
            .map(|finding| format!("WRONG {:?} at {}: {}", finding.check, finding.place, finding.message)),
    );
    lines.extend(
        report.overdue_holds.iter().map(|hold| format!("hold {hold} is past its expiry and counts as released")),
    );
    if report.is_clean() {
        lines.push("everything agrees".to_owned());
    }
    lines.join("\n")
}
