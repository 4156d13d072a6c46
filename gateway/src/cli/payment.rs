//! `peerway payment …`: payments that wait for a person.

use anyhow::Context;
use clap::Subcommand;
use peerway_billing::payments::{Payment, Payments};
use serde::Serialize;

use super::Workspace;
use crate::config::ServeConfig;

#[derive(Debug, Subcommand)]
pub(super) enum PaymentCommand {
    /// List payments that wait for a decision, with the reasons
    Review,
    /// Let a payment that waits be credit
    Release {
        /// The payment's id
        payment: String,
    },
    /// Send a payment that waits back to its card
    Refuse {
        /// The payment's id
        payment: String,
    },
}

#[derive(Debug, Serialize)]
struct Waiting {
    payment: String,
    account: String,
    amount_nano_usd: i64,
    created_at: i64,
    reasons: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Decided {
    payment: String,
    decision: &'static str,
}

pub(super) async fn run(command: PaymentCommand, workspace: &Workspace) -> anyhow::Result<()> {
    let payments = payments(workspace).await?;
    let (payment, decision) = match command {
        PaymentCommand::Review => return list(&payments, workspace).await,
        PaymentCommand::Release { payment } => {
            payments.release(&payment).await?;
            (payment, "released")
        }
        PaymentCommand::Refuse { payment } => {
            payments.refuse(&payment).await?;
            (payment, "refused")
        }
    };
    workspace
        .output
        .print(&Decided { payment, decision }, |decided| format!("{} is {}", decided.payment, decided.decision))
}

/// The same Stripe as the gateway's, as far as the environment names it.
async fn payments(workspace: &Workspace) -> anyhow::Result<Payments> {
    let config = ServeConfig::load(None, serde_json::json!({}))?;
    let ledger = workspace.existing_ledger().await?;
    config.stripe.payments(&ledger)?.context("set STRIPE_SECRET_KEY (and STRIPE_API_BASE, where the gateway has one)")
}

async fn list(payments: &Payments, workspace: &Workspace) -> anyhow::Result<()> {
    let waiting: Vec<Waiting> = payments.waiting().await?.into_iter().map(view).collect();
    workspace.output.print(&waiting, |waiting| {
        let lines = waiting.iter().map(|one| {
            format!(
                "{}  {}  {}  {}",
                one.payment,
                one.account,
                peerway_billing::Nanos::new(one.amount_nano_usd),
                one.reasons.join("; ")
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    })
}

fn view((account, payment): (String, Payment)) -> Waiting {
    Waiting {
        payment: payment.id,
        account,
        amount_nano_usd: payment.amount.as_i64(),
        created_at: payment.created_at.as_secs(),
        reasons: payment.reasons,
    }
}
