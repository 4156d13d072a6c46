//! How fast may be asked: requests and tokens a minute, and requests at a time.
//!
//! Exact for one gateway: counts are kept in its memory, in integers, under one lock, and what a request may use is taken
//! before it begins. Counting in the ledger was rejected (a disk flush a request), and so was counting afterwards (a burst
//! is then as large as it likes). Whoever runs several gateways for one account has as many times the limit.
//!
//! | file | idea |
//! | --- | --- |
//! | `bucket` | a bucket that refills all the time |
//! | `register` | everybody's buckets, and how idle ones are forgotten |
//! | `ticket` | one request's part, which is given back |
//! | `headers` | what a caller is told |

mod bucket;
mod headers;
mod register;
mod ticket;

pub use register::RateLimits;
pub use ticket::Ticket;
