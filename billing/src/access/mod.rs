//! Who may call, and who may spend what.
//!
//! The problem: a key that can do everything is a key that nobody dares to hand out. So every key carries a
//! policy, and every person on an account a role. Both are data, judged by who asks the ledger; the ledger
//! checks that they make sense, keeps them, and writes every change of them into the log with who made it.
//!
//! | file | idea |
//! | --- | --- |
//! | `scope` | what may be done: scopes, and the roles that bundle them |
//! | `policy` | one key's policy, and its bounds |
//! | `limits` | how much and how fast: budgets and rates |
//! | `networks` | where from: networks as people write them |
//! | `member` | the people of an account |
//! | `actor` | who did it |

mod actor;
mod limits;
mod member;
mod networks;
mod policy;
mod scope;

pub use actor::{Actor, ActorError};
pub use limits::{BudgetLimits, Limits};
pub use member::Member;
pub use networks::parse_network;
pub use policy::{KeyPolicy, PolicyError};
pub use scope::{Role, Scope};
