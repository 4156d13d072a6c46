//! Who may be a node of this gateway, and who may be paid under which name.
//!
//! A node's advert is signed with its own key, so that its peer id is beyond doubt; the operator that it names is only its
//! word. A plain file in the data folder says which nodes are known and binds them to operators. It is not in the ledger:
//! nothing in it is money, and an operator can read, copy and version it. A running gateway follows it.

mod file;
mod list;
mod rules;

pub use file::{ListedNodes, NODES_FILE, NodesError, change, read};
pub use list::{Entry, ListError, NodeList, operator};
pub use rules::{AdmissionMode, NodeRules};
