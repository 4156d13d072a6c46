//! The ledger in PostgreSQL, which many gateways share.
