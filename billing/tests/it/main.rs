//! The ledger and the till from outside, on real files. Everything in one binary: it links once.

#![allow(clippy::unwrap_used)] // a test that cannot go on says where

mod alerts;
mod audit;
mod budgets;
mod crash;
mod days;
mod histories;
mod journal;
mod keys;
mod ledger;
mod members;
mod money;
mod opening;
mod oracle;
mod parts;
mod payments;
mod proofs;
mod scarce;
mod support;
mod takeover;
mod tamper;
mod till;
