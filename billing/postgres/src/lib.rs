//! The ledger in PostgreSQL, which many gateways share. Nothing of it is here yet: the ledger is on SQLite alone.
