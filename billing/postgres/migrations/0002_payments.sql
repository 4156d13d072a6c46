-- Payments: what providers told, and what became of what we began. The log decides about money; these rows say
-- where to look and what a customer sees.

CREATE TABLE payment_events (
    id          TEXT COLLATE "C" PRIMARY KEY,
    kind        TEXT COLLATE "C" NOT NULL,
    body        BYTEA NOT NULL,
    received_at BIGINT NOT NULL,
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('new', 'done', 'given_up')),
    tries       BIGINT NOT NULL DEFAULT 0,
    due_at      BIGINT NOT NULL,
    problem     TEXT COLLATE "C"
);
CREATE INDEX payment_events_due ON payment_events (due_at) WHERE state = 'new';
CREATE INDEX payment_events_done ON payment_events (received_at) WHERE state = 'done';

CREATE TABLE payment_customers (
    account    TEXT COLLATE "C" PRIMARY KEY REFERENCES accounts (id),
    customer   TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE payments (
    id         TEXT COLLATE "C" PRIMARY KEY,
    account    TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
    kind       TEXT COLLATE "C" NOT NULL CHECK (kind IN ('checkout', 'top_up')),
    cents      BIGINT NOT NULL CHECK (cents > 0),
    state      TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'paid', 'review', 'disputed', 'refused', 'canceled')),
    session    TEXT COLLATE "C" UNIQUE,
    intent     TEXT COLLATE "C" UNIQUE,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    card       TEXT COLLATE "C",
    country    TEXT COLLATE "C",
    declines   BIGINT NOT NULL DEFAULT 0,
    last_try   TEXT COLLATE "C",
    back_cents BIGINT NOT NULL DEFAULT 0,
    mark       TEXT COLLATE "C",
    score      BIGINT NOT NULL DEFAULT 0,
    reasons    TEXT COLLATE "C" NOT NULL DEFAULT '[]'
);
CREATE INDEX payments_of_account ON payments (account, created_at);
CREATE INDEX payments_in_state ON payments (state, changed_at);
CREATE INDEX payments_with_card ON payments (card, account) WHERE card IS NOT NULL;

CREATE TABLE refunds (
    id           TEXT COLLATE "C" PRIMARY KEY,
    account      TEXT COLLATE "C" NOT NULL REFERENCES accounts (id),
    payment      TEXT COLLATE "C" NOT NULL REFERENCES payments (id),
    cents        BIGINT NOT NULL CHECK (cents > 0),
    charge_cents BIGINT NOT NULL CHECK (charge_cents > 0),
    state        TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'paid', 'failed', 'refused')),
    refund       TEXT COLLATE "C" UNIQUE,
    created_at   BIGINT NOT NULL,
    changed_at   BIGINT NOT NULL,
    problem      TEXT COLLATE "C"
);
CREATE INDEX refunds_of_account ON refunds (account, created_at);
CREATE INDEX refunds_in_state ON refunds (state, changed_at);

CREATE TABLE top_ups (
    account       TEXT COLLATE "C" PRIMARY KEY REFERENCES accounts (id),
    enabled       BIGINT NOT NULL CHECK (enabled IN (0, 1)),
    threshold     BIGINT NOT NULL CHECK (threshold >= 0),
    cents         BIGINT NOT NULL CHECK (cents > 0),
    monthly_cents BIGINT NOT NULL CHECK (monthly_cents > 0),
    declines      BIGINT NOT NULL DEFAULT 0,
    not_before    BIGINT NOT NULL DEFAULT 0,
    under_way     TEXT COLLATE "C",
    problem       TEXT COLLATE "C",
    changed_at    BIGINT NOT NULL
);
CREATE INDEX top_ups_on ON top_ups (not_before) WHERE enabled = 1;
