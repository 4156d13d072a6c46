//! `Idempotency-Key`: the same request, sent again, is answered once and billed once.
//!
//! Networks fail after the work was done, and libraries send again by themselves. Who gives a request a name of its own
//! gets the first answer again, byte by byte, for 24 hours; also while the first still runs; and if its connection broke,
//! the work goes on without it, so that the second try gets the whole.
//!
//! | file | idea |
//! | --- | --- |
//! | `key` | what the name is, and what the request is |
//! | `recording` | an answer as it grows, with any number of readers |
//! | `record` | what is kept of a request on disk |
//! | `shelf` | the folder of records, and the recordings that still grow |
//! | `layer` | the one place where all that meets a request |
//!
//! **What a crash leaves.** The record of a request is on disk before the request is served, with the request's name in
//! it. After a crash the second try runs again under that name, and the ledger, which takes one charge a name, does not
//! charge it twice. Rejected: keeping answers in memory alone, which charges twice after a restart; and refusing a second
//! request while the first runs, with 409, which official libraries answer by sending a third.

mod key;
mod layer;
mod record;
mod recording;
mod shelf;

pub use layer::answer_once;
pub use recording::Recording;
pub use shelf::Shelf;
