//! `peerway ledger check-proof`: whether a proof holds, and in words what it proves. It asks nobody and needs no ledger.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use peerway_billing::{Proof, Proven, Receipt};

use super::Output;

/// The largest file that is read: a proof has a few kilobytes.
const MOST: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct CheckProofArgs {
    /// The proof, as `GET /v1/ledger/proof` gave it; `-` reads it from standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The public key of the ledger's owner, as they published it; without it the proof's own word is taken
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
}

pub(super) fn run(args: &CheckProofArgs, output: Output) -> anyhow::Result<()> {
    let text = read(&args.file)?;
    let proof: Proof = serde_json::from_str(&text).with_context(|| format!("{} is no proof", args.file.display()))?;
    let proven = proof.check(args.key.as_deref()).context("the proof does not hold")?;
    output.print(&proven, describe)
}

fn read(file: &Path) -> anyhow::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let opened: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?)
    };
    opened.take(MOST + 1).read_to_string(&mut text).with_context(|| format!("cannot read {}", file.display()))?;
    if text.len() as u64 > MOST {
        bail!("{} is larger than any proof", file.display());
    }
    Ok(text)
}

fn describe(proven: &Proven) -> String {
    let Proven { seq, receipt, checkpoint, key_expected } = proven;
    let mut lines = vec![
        "The proof holds.".to_owned(),
        format!(
            "On {} the owner of key {} signed that the ledger's log had {} entries.",
            checkpoint.at, checkpoint.key, checkpoint.seq
        ),
        format!("Entry {seq} is one of them, exactly as it stands in this file."),
    ];
    lines.extend(receipt.as_ref().map(charged));
    lines.push("It cannot be changed, moved or removed without that signature being broken.".to_owned());
    if !key_expected {
        lines.push(
            "Whose key that is only the file itself says: compare it with what the ledger's owner published, or give --key."
                .to_owned(),
        );
    }
    lines.join("\n")
}

fn charged(receipt: &Receipt) -> String {
    let Receipt { request, account, model, node, billed, paid, created_at, .. } = receipt;
    format!(
        "It charges account {account} for request {request} of {created_at}: {} for {} prompt tokens ({} cached) and {} \
         generated ones by {model} on node {node}; {} of it to the node's operator, {} in fees. The amounts follow from \
         its prices and tokens.",
        paid.total,
        billed.prompt(),
        billed.cached(),
        billed.completion(),
        paid.operator,
        paid.fee
    )
}
