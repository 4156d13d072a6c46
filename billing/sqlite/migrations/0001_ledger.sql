-- The first schema of the ledger.
--
-- transfers, entries and charges are the log: append-only, each transfer chained by hash to the one before.
-- accounts, holds and keys are today's state; all of it but holds can be derived from the log again.
-- All amounts are nano-USD, all times milliseconds since 1970-01-01 UTC, all hashes lower-case hex.

CREATE TABLE accounts (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL CHECK (kind IN ('customer', 'operator', 'platform')),
    name       TEXT NOT NULL,
    frozen     INTEGER NOT NULL DEFAULT 0 CHECK (frozen IN (0, 1)),
    created_at INTEGER NOT NULL,
    balance    INTEGER NOT NULL DEFAULT 0 CHECK (balance >= 0 OR id = 'platform:grants'),
    held       INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE transfers (
    seq        INTEGER PRIMARY KEY,
    kind       TEXT NOT NULL,
    reference  TEXT NOT NULL,
    memo       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    prev_hash  TEXT NOT NULL,
    hash       TEXT NOT NULL,
    UNIQUE (kind, reference)
) STRICT;

CREATE TABLE entries (
    transfer INTEGER NOT NULL,
    line     INTEGER NOT NULL,
    account  TEXT NOT NULL,
    amount   INTEGER NOT NULL,
    PRIMARY KEY (transfer, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE charges (
    request_id         TEXT PRIMARY KEY,
    transfer           INTEGER NOT NULL UNIQUE,
    hold               TEXT NOT NULL,
    late               INTEGER NOT NULL CHECK (late IN (0, 1)),
    account            TEXT NOT NULL,
    key_id             TEXT,
    node               TEXT NOT NULL,
    operator           TEXT NOT NULL,
    model              TEXT NOT NULL,
    price_input        INTEGER NOT NULL,
    price_cached       INTEGER NOT NULL,
    price_output       INTEGER NOT NULL,
    fee_bps            INTEGER NOT NULL,
    prompt             INTEGER NOT NULL,
    cached             INTEGER NOT NULL,
    completion         INTEGER NOT NULL,
    claimed_prompt     INTEGER NOT NULL,
    claimed_cached     INTEGER NOT NULL,
    claimed_completion INTEGER NOT NULL,
    total              INTEGER NOT NULL,
    earned             INTEGER NOT NULL,
    fee                INTEGER NOT NULL,
    shortfall          INTEGER NOT NULL,
    outcome            TEXT NOT NULL,
    created_at         INTEGER NOT NULL
) STRICT;
CREATE INDEX charges_by_account ON charges (account, transfer);

CREATE TABLE holds (
    id         TEXT PRIMARY KEY,
    account    TEXT NOT NULL,
    amount     INTEGER NOT NULL,
    captured   INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('open', 'closed', 'released', 'expired')),
    expires_at INTEGER NOT NULL,
    owner      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    seal       TEXT NOT NULL,
    CHECK (captured >= 0 AND captured <= amount)
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_open ON holds (expires_at) WHERE state = 'open';

CREATE TABLE keys (
    id         TEXT PRIMARY KEY,
    account    TEXT NOT NULL,
    name       TEXT NOT NULL,
    prefix     TEXT NOT NULL,
    sha256     TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TRIGGER transfers_keep_update BEFORE UPDATE ON transfers
BEGIN SELECT RAISE(ABORT, 'transfers are append-only'); END;
CREATE TRIGGER transfers_keep_delete BEFORE DELETE ON transfers
BEGIN SELECT RAISE(ABORT, 'transfers are append-only'); END;
CREATE TRIGGER entries_keep_update BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TRIGGER entries_keep_delete BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TRIGGER charges_keep_update BEFORE UPDATE ON charges
BEGIN SELECT RAISE(ABORT, 'charges are append-only'); END;
CREATE TRIGGER charges_keep_delete BEFORE DELETE ON charges
BEGIN SELECT RAISE(ABORT, 'charges are append-only'); END;

INSERT INTO accounts (id, kind, name, created_at) VALUES
    ('platform:fees', 'platform', 'fees earned', 0),
    ('platform:grants', 'platform', 'credit granted', 0);
