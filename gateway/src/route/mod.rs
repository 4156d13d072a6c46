//! Which nodes to try for a request, and in which order.
//!
//! [`rank`] is a pure function over a snapshot of the market: it asks no clock, no network, no ledger and no dice, so that
//! every choice can be repeated in a test and explained to a caller. What it takes into account is learnt elsewhere and
//! handed in:
//!
//! | file | idea |
//! | --- | --- |
//! | `need` | what one request needs |
//! | `wishes` | what its caller wishes of the nodes |
//! | `fit` | whether a node can serve it, and what that is expected to cost |
//! | `standing` | who is slower than the others, and who is too new to be trusted with much |
//! | `pick` | the order |
//! | `explain` | the order told to a caller |
//! | `lesson`, `affinity`, `habits` | what answers teach: who holds a conversation, and how long answers are |

mod affinity;
mod cost;
mod explain;
mod fit;
mod habits;
mod lesson;
mod need;
mod pick;
mod refusal;
mod standing;
mod wishes;

pub use affinity::{Affinity, Conversation};
pub use cost::{TYPICAL_COMPLETION, expected_cost};
pub use explain::{Explanation, explain, why_not};
pub use fit::asking_price;
pub use habits::Habits;
pub use lesson::{Learnt, Lesson};
pub use need::{Cached, Need, Requirement};
pub use pick::{MAX_ATTEMPTS, Pick, rank};
pub use refusal::{Refusal, Unwanted};
pub use wishes::Wishes;
