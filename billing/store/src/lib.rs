//! What the ledger asks of a database: its rows, and how they are read and written.
