//! `peerway node …`

use clap::Subcommand;
use peerway_billing::Nanos;
use peerway_p2p::PeerId;
use serde_json::json;

use super::output::table;
use super::{ADMIN_SOCKET, Workspace, prepare};
use crate::admin::list_nodes;
use crate::admission;

#[derive(Debug, Subcommand)]
pub(super) enum NodeCommand {
    /// List the nodes that the running gateway knows, cheapest first
    List,
    /// Let a node be here, and bind it to the operator that it may name; a running gateway follows within a second
    Allow {
        /// The node's peer id, which it logs at its start
        node: PeerId,
        /// The account that is paid for its work; no other node may name it [default: the node is bound to none]
        #[arg(long, value_name = "NAME", value_parser = admission::operator)]
        operator: Option<String>,
    },
    /// Take a node off the list; where only listed nodes are taken, it is out within a second
    Disallow {
        /// The node's peer id
        node: PeerId,
    },
    /// Show which nodes are on the list
    Allowed,
}

pub(super) async fn run(command: NodeCommand, workspace: &Workspace) -> anyhow::Result<()> {
    match command {
        NodeCommand::List => list(workspace).await,
        NodeCommand::Allow { node, operator } => {
            prepare(&workspace.data_dir)?;
            admission::change(&workspace.data_dir, |list| list.allow(node, operator.clone()))?;
            let report = json!({"node": node.to_string(), "operator": operator});
            workspace.output.print(&report, |_| format!("{node} is on the list"))
        }
        NodeCommand::Disallow { node } => {
            prepare(&workspace.data_dir)?;
            let was_there = admission::change(&workspace.data_dir, |list| list.disallow(node))?;
            anyhow::ensure!(was_there, "{node} is not on the list; peerway node allowed shows who is");
            workspace.output.print(&json!({"node": node.to_string()}), |_| format!("{node} is off the list"))
        }
        NodeCommand::Allowed => {
            let list = admission::read(&workspace.data_dir)?;
            let entries: Vec<_> = list.entries().collect();
            workspace.output.print(&entries, |entries| {
                let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
                let row = |entry: &&admission::Entry| {
                    [entry.node.to_string(), or_dash(&entry.operator), or_dash(&entry.comment)]
                };
                table(["NODE", "OPERATOR", "COMMENT"], &entries.iter().map(row).collect::<Vec<_>>())
            })
        }
    }
}

async fn list(workspace: &Workspace) -> anyhow::Result<()> {
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
                    node.via.clone().unwrap_or_else(|| "-".to_owned()),
                ]
            })
            .collect();
        table(["MODEL", "NODE", "INPUT", "OUTPUT", "BUSY", "FIRST TOKEN", "HEALTHY", "VIA"], &rows)
    })
}
