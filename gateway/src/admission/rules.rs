//! What the list of known nodes means, by how strict the gateway is.

use std::collections::{HashMap, HashSet};

use peerway_p2p::{Admission, NotAdmitted, PeerId};
use serde::{Deserialize, Serialize};

use super::NodeList;

/// How strict a gateway is with nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum AdmissionMode {
    /// Takes every node.
    #[default]
    Open,
    /// Takes the nodes that are listed.
    Listed,
    /// Takes the nodes that are bound to an operator, and that name it.
    Registered,
}

/// The rules that follow from a list.
#[derive(Debug, Clone, Default)]
pub struct NodeRules {
    mode: AdmissionMode,
    listed: HashMap<PeerId, Option<String>>,
    /// Operators that nodes are bound to. In every mode, nobody else may name them.
    bound: HashSet<String>,
}

impl NodeRules {
    /// The rules of a list.
    #[must_use]
    pub fn new(mode: AdmissionMode, list: &NodeList) -> Self {
        Self {
            mode,
            listed: list.entries().map(|entry| (entry.node, entry.operator.clone())).collect(),
            bound: list.entries().filter_map(|entry| entry.operator.clone()).collect(),
        }
    }
}

impl Admission for NodeRules {
    fn admit(&self, node: PeerId, operator: Option<&str>) -> Result<(), NotAdmitted> {
        let listed = self.listed.get(&node);
        let own = listed.and_then(Option::as_deref);
        match self.mode {
            AdmissionMode::Listed if listed.is_none() => Err(not_admitted(
                "peer_id",
                format!("this gateway takes listed nodes only; its owner lists yours with: peerway node allow {node}"),
            )),
            AdmissionMode::Registered if own.is_none() => Err(not_admitted(
                "peer_id",
                format!(
                    "this gateway takes registered nodes only; its owner registers yours with: peerway node allow {node} \
                     --operator NAME"
                ),
            )),
            AdmissionMode::Registered if own != operator => Err(not_admitted(
                "operator",
                format!(
                    "this node is registered for the operator `{}`; start it with --operator {0}",
                    own.unwrap_or_default()
                ),
            )),
            _ => match operator {
                Some(claimed) if own != Some(claimed) && self.bound.contains(claimed) => Err(not_admitted(
                    "operator",
                    format!(
                        "the operator `{claimed}` is bound to other nodes; name another with --operator, or the gateway's \
                         owner binds this node with: peerway node allow {node} --operator {claimed}"
                    ),
                )),
                _ => Ok(()),
            },
        }
    }
}

fn not_admitted(field: &'static str, reason: String) -> NotAdmitted {
    NotAdmitted { field, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_takes_whom_it_says() {
        let [alices, listed, stranger] = [(); 3].map(|()| PeerId::random());
        let list: NodeList = format!("{alices} alice\n{listed}\n").parse().unwrap();
        let judge = |mode| {
            let rules = NodeRules::new(mode, &list);
            move |node: PeerId, operator: Option<&str>| rules.admit(node, operator).map_err(|refused| refused.field)
        };
        let open = judge(AdmissionMode::Open);
        assert_eq!(open(stranger, None), Ok(()));
        assert_eq!(open(stranger, Some("bob")), Ok(()));
        assert_eq!(open(stranger, Some("alice")), Err("operator"), "a bound name is its own nodes'");
        assert_eq!(open(alices, Some("alice")), Ok(()));

        let by_list = judge(AdmissionMode::Listed);
        assert_eq!(by_list(stranger, None), Err("peer_id"));
        assert_eq!(by_list(listed, Some("bob")), Ok(()));
        assert_eq!(by_list(listed, Some("alice")), Err("operator"));

        let registered = judge(AdmissionMode::Registered);
        assert_eq!(registered(alices, Some("alice")), Ok(()));
        for claimed in [None, Some("bob")] {
            assert_eq!(registered(alices, claimed), Err("operator"), "{claimed:?}");
        }
        for claimed in [None, Some("alice"), Some("bob")] {
            assert_eq!(registered(listed, claimed), Err("peer_id"), "{claimed:?}");
            assert_eq!(registered(stranger, claimed), Err("peer_id"), "{claimed:?}");
        }
    }

    #[test]
    fn a_refusal_names_the_remedy() {
        let (alices, stranger) = (PeerId::random(), PeerId::random());
        let list: NodeList = format!("{alices} alice").parse().unwrap();
        let reason = |mode, node, operator| NodeRules::new(mode, &list).admit(node, operator).unwrap_err().reason;
        let listed = reason(AdmissionMode::Listed, stranger, None);
        assert!(listed.contains(&format!("peerway node allow {stranger}")), "{listed}");
        let registered = reason(AdmissionMode::Registered, alices, None);
        assert!(registered.contains("--operator alice"), "{registered}");
    }
}
