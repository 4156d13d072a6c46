//! `peerway ledger …`

use anyhow::bail;
use clap::Subcommand;
use peerway_billing::VerifyReport;

use super::Workspace;

#[derive(Debug, Subcommand)]
pub(super) enum LedgerCommand {
    /// Recompute every sum, balance, hold and hash; fails where anything does not agree
    Verify,
    /// Print everything as JSON lines
    Export,
}

pub(super) async fn run(command: LedgerCommand, workspace: &Workspace) -> anyhow::Result<()> {
    let ledger = workspace.existing_ledger().await?;
    match command {
        LedgerCommand::Verify => {
            let report = ledger.verify().await?;
            workspace.output.print(&report, describe)?;
            if !report.is_clean() {
                bail!("the ledger does not agree with itself: {} findings", report.findings.len());
            }
            Ok(())
        }
        LedgerCommand::Export => {
            ledger.export(std::io::BufWriter::new(std::io::stdout())).await?;
            Ok(())
        }
    }
}

fn describe(report: &VerifyReport) -> String {
    let mut lines = vec![format!(
        "{} transfers, {} accounts and {} holds checked; head {} {}",
        report.transfers, report.accounts, report.holds, report.head.seq, report.head.hash
    )];
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
