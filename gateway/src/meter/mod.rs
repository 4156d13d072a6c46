//! What an answer costs, found out while it passes.
//!
//! The node's claim and the gateway's own count meet here, and nowhere else: billed is the smaller of the two. A stream
//! that the credit no longer covers is cut here, and the capture happens here, exactly once, whatever ends the answer:
//! its end, an error, or a caller who left.

mod answer;
mod bill;
mod count;
mod set_aside;
mod succession;
mod transcript;

pub use answer::{Delivery, MeteredAnswer, Name, Step};
pub use bill::{Bill, Counted, Cover, Seller, Sold};
pub use count::AnswerCount;
pub use set_aside::SetAside;
pub use succession::{HandOver, NoSuccessor, Successor, Successors};
pub use transcript::{Standing, Transcript};
