-- Money that comes from outside and goes back there: payments, refunds, disputes.
--
-- What is with a payment provider or on a chain lies on a clearing account, below zero by what came in. Refunds and
-- disputes that have not ended lie on accounts of their own. A customer is below zero only by a dispute, and
-- cannot spend then: the table itself says so.

CREATE TABLE accounts_next (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL CHECK (kind IN ('customer', 'operator', 'platform')),
    name       TEXT NOT NULL,
    frozen     INTEGER NOT NULL DEFAULT 0 CHECK (frozen IN (0, 1)),
    created_at INTEGER NOT NULL,
    balance    INTEGER NOT NULL DEFAULT 0 CHECK (
        balance >= 0
        OR id IN ('platform:grants', 'platform:stripe', 'platform:chain', 'platform:failover')
        OR (kind = 'customer' AND (frozen = 1 OR disputes > 0))
    ),
    held       INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    -- Disputes that have not ended. While there are any, the account is frozen whatever `frozen` says.
    disputes   INTEGER NOT NULL DEFAULT 0 CHECK (disputes >= 0)
) STRICT, WITHOUT ROWID;

INSERT INTO accounts_next (id, kind, name, frozen, created_at, balance, held)
    SELECT id, kind, name, frozen, created_at, balance, held FROM accounts;
DROP TABLE accounts;
ALTER TABLE accounts_next RENAME TO accounts;

INSERT INTO accounts (id, kind, name, created_at) VALUES
    ('platform:stripe', 'platform', 'payments through Stripe', 0),
    ('platform:chain', 'platform', 'payments on chain', 0),
    ('platform:refunds', 'platform', 'refunds under way', 0),
    ('platform:disputes', 'platform', 'disputed payments', 0),
    ('platform:failover', 'platform', 'work that no customer paid', 0);

-- What was spent a day, by key and model, added up as it is charged: statements, forecasts and alerts must not add up
-- every charge there ever was. `day` counts days since 1970-01-01 UTC; `key` is the key that was shown, '' for none.

CREATE TABLE usage_days (
    account    TEXT NOT NULL,
    day        INTEGER NOT NULL,
    key        TEXT NOT NULL,
    model      TEXT NOT NULL,
    requests   INTEGER NOT NULL,
    prompt     INTEGER NOT NULL,
    cached     INTEGER NOT NULL,
    completion INTEGER NOT NULL,
    total      INTEGER NOT NULL,
    PRIMARY KEY (account, day, key, model)
) STRICT, WITHOUT ROWID;
-- Sums that do not fit stop at the largest number, as the ledger's own do; only impossible token counts come near it.
INSERT INTO usage_days
    SELECT account, created_at / 86400000, COALESCE(key_id, ''), model, count(*),
           CAST(min(total(prompt), 9223372036854774784.0) AS INTEGER),
           CAST(min(total(cached), 9223372036854774784.0) AS INTEGER),
           CAST(min(total(completion), 9223372036854774784.0) AS INTEGER),
           sum(total)
    FROM charges GROUP BY 1, 2, 3, 4;

-- How far the log had come, signed by its owner; and the full subtrees of every eighth level of the Merkle tree (RFC 6962)
-- over the hashes of its transfers, from which any proof is made with few reads.

CREATE TABLE checkpoints (
    seq       INTEGER PRIMARY KEY,
    hash      TEXT NOT NULL,
    root      TEXT NOT NULL,
    at        INTEGER NOT NULL,
    key       TEXT NOT NULL,
    signature TEXT NOT NULL
) STRICT;
CREATE TABLE merkle_nodes (
    level INTEGER NOT NULL,
    place INTEGER NOT NULL,
    hash  TEXT NOT NULL,
    PRIMARY KEY (level, place)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER checkpoints_keep_update BEFORE UPDATE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER checkpoints_keep_delete BEFORE DELETE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER merkle_nodes_keep_update BEFORE UPDATE ON merkle_nodes
BEGIN SELECT RAISE(ABORT, 'nodes of the tree are append-only'); END;
CREATE TRIGGER merkle_nodes_keep_delete BEFORE DELETE ON merkle_nodes
BEGIN SELECT RAISE(ABORT, 'nodes of the tree are append-only'); END;

-- Where an account wants to be told that a budget is being used up, and what it was told. A hook is in the log too, but for
-- its secret, of which the log has the hash. Alerts change with every try, so that each carries a checksum instead.

CREATE TABLE alert_hooks (
    account    TEXT PRIMARY KEY,
    url        TEXT NOT NULL,
    secret     TEXT NOT NULL,
    budgets    TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- `id` is made of account, scope, span, beginning and level: each of those is told once.
CREATE TABLE alerts (
    id         TEXT PRIMARY KEY,
    account    TEXT NOT NULL,
    scope      TEXT NOT NULL,
    span       TEXT NOT NULL CHECK (span IN ('day', 'week', 'month', 'lifetime')),
    since      INTEGER NOT NULL,
    level      INTEGER NOT NULL,
    budget     INTEGER NOT NULL,
    spent      INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('due', 'delivered', 'given_up', 'passed')),
    attempts   INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    seal       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_due ON alerts (next_at) WHERE state = 'due';
