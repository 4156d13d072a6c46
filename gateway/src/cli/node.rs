//! `peerway node …`

use clap::Subcommand;
use peerway_billing::Nanos;

use super::output::table;
use super::{ADMIN_SOCKET, Workspace};
use crate::admin::list_nodes;

#[derive(Debug, Subcommand)]
pub(super) enum NodeCommand {
    /// List the nodes that the running gateway knows, cheapest first
    List,
}

pub(super) async fn run(command: NodeCommand, workspace: &Workspace) -> anyhow::Result<()> {
    let NodeCommand::List = command;
    let nodes = list_nodes(&workspace.data_dir.join(ADMIN_SOCKET)).await?;
    workspace.output.print(&nodes, |nodes| {
        let rows: Vec<_> = nodes
            .iter()
            .map(|node| {
                [
                    node.model.clone(),
                    node.node.clone(),
                    format!("{}/M", Nanos::new(node.input)),
                    format!("{}/M", Nanos::new(node.output)),
                    format!("{}/{}", node.occupied, node.slots),
                    format!("{} ms", node.ttft_ms),
                    if node.healthy { "yes" } else { "no" }.to_owned(),
                ]
            })
            .collect();
        table(["MODEL", "NODE", "INPUT", "OUTPUT", "BUSY", "FIRST TOKEN", "HEALTHY"], &rows)
    })
}
