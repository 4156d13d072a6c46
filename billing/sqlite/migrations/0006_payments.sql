-- Payments: what providers told, and what became of what we began. The log decides about money; these rows say
-- where to look and what a customer sees.

CREATE TABLE payment_events (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,
    body        BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('new', 'done', 'given_up')),
    tries       INTEGER NOT NULL DEFAULT 0,
    due_at      INTEGER NOT NULL,
    problem     TEXT
) STRICT;
CREATE INDEX payment_events_due ON payment_events (due_at) WHERE state = 'new';
CREATE INDEX payment_events_done ON payment_events (received_at) WHERE state = 'done';

CREATE TABLE payment_customers (
    account    TEXT PRIMARY KEY REFERENCES accounts (id),
    customer   TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE payments (
    id         TEXT PRIMARY KEY,
    account    TEXT NOT NULL REFERENCES accounts (id),
    kind       TEXT NOT NULL CHECK (kind IN ('checkout', 'top_up')),
    cents      INTEGER NOT NULL CHECK (cents > 0),
    state      TEXT NOT NULL CHECK (state IN ('open', 'paid', 'review', 'disputed', 'refused', 'canceled')),
    session    TEXT UNIQUE,
    intent     TEXT UNIQUE,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    card       TEXT,
    country    TEXT,
    declines   INTEGER NOT NULL DEFAULT 0,
    last_try   TEXT,
    back_cents INTEGER NOT NULL DEFAULT 0,
    mark       TEXT,
    score      INTEGER NOT NULL DEFAULT 0,
    reasons    TEXT NOT NULL DEFAULT '[]'
) STRICT, WITHOUT ROWID;
CREATE INDEX payments_of_account ON payments (account, created_at);
CREATE INDEX payments_in_state ON payments (state, changed_at);
CREATE INDEX payments_with_card ON payments (card, account) WHERE card IS NOT NULL;

CREATE TABLE refunds (
    id           TEXT PRIMARY KEY,
    account      TEXT NOT NULL REFERENCES accounts (id),
    payment      TEXT NOT NULL REFERENCES payments (id),
    cents        INTEGER NOT NULL CHECK (cents > 0),
    charge_cents INTEGER NOT NULL CHECK (charge_cents > 0),
    state        TEXT NOT NULL CHECK (state IN ('open', 'paid', 'failed', 'refused')),
    refund       TEXT UNIQUE,
    created_at   INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    problem      TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX refunds_of_account ON refunds (account, created_at);
CREATE INDEX refunds_in_state ON refunds (state, changed_at);

CREATE TABLE top_ups (
    account       TEXT PRIMARY KEY REFERENCES accounts (id),
    enabled       INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    threshold     INTEGER NOT NULL CHECK (threshold >= 0),
    cents         INTEGER NOT NULL CHECK (cents > 0),
    monthly_cents INTEGER NOT NULL CHECK (monthly_cents > 0),
    declines      INTEGER NOT NULL DEFAULT 0,
    not_before    INTEGER NOT NULL DEFAULT 0,
    under_way     TEXT,
    problem       TEXT,
    changed_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX top_ups_on ON top_ups (not_before) WHERE enabled = 1;
