-- The first schema of the ledger in PostgreSQL: what SQLite's is after its fifth.
--
-- transfers, entries, charges and charge_parts are the log: append-only, each transfer chained by hash to the one before.
-- accounts, keys, members and usage_days are today's state, which can be derived from the log again; holds, owners and
-- alerts are not in it. checkpoints and merkle_nodes are about it.
-- All amounts are nano-USD, all times milliseconds since 1970-01-01 UTC, all hashes lower-case hex, all flags 0 or 1.
-- Texts are compared byte by byte, whatever the database's own language is.

-- Marks the schema as ours, and says which version it has.
CREATE TABLE peerway_ledger (
    only_one BIGINT PRIMARY KEY DEFAULT 1 CHECK (only_one = 1),
    version  BIGINT NOT NULL
);

CREATE TABLE accounts (
    id         TEXT COLLATE "C" PRIMARY KEY,
    kind       TEXT COLLATE "C" NOT NULL CHECK (kind IN ('customer', 'operator', 'platform')),
    name       TEXT COLLATE "C" NOT NULL,
    frozen     BIGINT NOT NULL DEFAULT 0 CHECK (frozen IN (0, 1)),
    created_at BIGINT NOT NULL,
    balance    BIGINT NOT NULL DEFAULT 0,
    held       BIGINT NOT NULL DEFAULT 0 CHECK (held >= 0),
    -- Disputes that have not ended. While there are any, the account is frozen whatever `frozen` says.
    disputes   BIGINT NOT NULL DEFAULT 0 CHECK (disputes >= 0),
    -- What is with a payment provider or on a chain lies on a clearing account, below zero by what came in. A customer is
    -- below zero only by a dispute, and cannot spend then.
    CONSTRAINT accounts_covered CHECK (
        balance >= 0
        OR id IN ('platform:grants', 'platform:stripe', 'platform:chain', 'platform:failover')
        OR (kind = 'customer' AND (frozen = 1 OR disputes > 0))
    )
);

CREATE TABLE transfers (
    seq           BIGINT PRIMARY KEY,
    kind          TEXT COLLATE "C" NOT NULL,
    reference     TEXT COLLATE "C" NOT NULL,
    memo          TEXT COLLATE "C" NOT NULL,
    created_at    BIGINT NOT NULL,
    prev_hash     TEXT COLLATE "C" NOT NULL,
    hash          TEXT COLLATE "C" NOT NULL,
    audit_account TEXT COLLATE "C",
    audit         TEXT COLLATE "C",
    UNIQUE (kind, reference)
);
CREATE INDEX transfers_by_audit_account ON transfers (audit_account, seq) WHERE audit_account IS NOT NULL;

CREATE TABLE entries (
    transfer BIGINT NOT NULL,
    line     BIGINT NOT NULL,
    account  TEXT COLLATE "C" NOT NULL,
    amount   BIGINT NOT NULL,
    PRIMARY KEY (transfer, line)
);

CREATE TABLE charges (
    request_id         TEXT COLLATE "C" PRIMARY KEY,
    transfer           BIGINT NOT NULL UNIQUE,
    hold               TEXT COLLATE "C" NOT NULL,
    late               BIGINT NOT NULL CHECK (late IN (0, 1)),
    account            TEXT COLLATE "C" NOT NULL,
    key_id             TEXT COLLATE "C",
    node               TEXT COLLATE "C" NOT NULL,
    operator           TEXT COLLATE "C" NOT NULL,
    model              TEXT COLLATE "C" NOT NULL,
    price_input        BIGINT NOT NULL,
    price_cached       BIGINT NOT NULL,
    price_output       BIGINT NOT NULL,
    fee_bps            BIGINT NOT NULL,
    prompt             BIGINT NOT NULL,
    cached             BIGINT NOT NULL,
    completion         BIGINT NOT NULL,
    claimed_prompt     BIGINT NOT NULL,
    claimed_cached     BIGINT NOT NULL,
    claimed_completion BIGINT NOT NULL,
    total              BIGINT NOT NULL,
    earned             BIGINT NOT NULL,
    fee                BIGINT NOT NULL,
    shortfall          BIGINT NOT NULL,
    outcome            TEXT COLLATE "C" NOT NULL,
    created_at         BIGINT NOT NULL,
    token_id           TEXT COLLATE "C"
);
-- What was spent, per account, key and minted token, is summed from these indexes alone.
CREATE INDEX charges_by_account ON charges (account, transfer, total);
CREATE INDEX charges_by_key ON charges (key_id, created_at, total) WHERE key_id IS NOT NULL;
CREATE INDEX charges_by_token ON charges (token_id, created_at, total) WHERE token_id IS NOT NULL;

-- Only where several nodes delivered, each has a part here, in their order.
CREATE TABLE charge_parts (
    transfer           BIGINT NOT NULL,
    part               BIGINT NOT NULL,
    node               TEXT COLLATE "C" NOT NULL,
    operator           TEXT COLLATE "C" NOT NULL,
    price_input        BIGINT NOT NULL,
    price_cached       BIGINT NOT NULL,
    price_output       BIGINT NOT NULL,
    prompt             BIGINT NOT NULL,
    cached             BIGINT NOT NULL,
    completion         BIGINT NOT NULL,
    claimed_prompt     BIGINT NOT NULL,
    claimed_cached     BIGINT NOT NULL,
    claimed_completion BIGINT NOT NULL,
    earned             BIGINT NOT NULL,
    PRIMARY KEY (transfer, part)
);

CREATE TABLE holds (
    id         TEXT COLLATE "C" PRIMARY KEY,
    account    TEXT COLLATE "C" NOT NULL,
    amount     BIGINT NOT NULL,
    captured   BIGINT NOT NULL,
    state      TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'closed', 'released', 'expired')),
    expires_at BIGINT NOT NULL,
    owner      TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    seal       TEXT COLLATE "C" NOT NULL,
    CHECK (captured >= 0 AND captured <= amount)
);
CREATE INDEX holds_open ON holds (expires_at) WHERE state = 'open';

-- Who holds credit for requests: gateways, and which of the processes that go by one's name is the latest.
CREATE TABLE owners (
    owner    TEXT COLLATE "C" PRIMARY KEY,
    -- Grows by one with each process that takes over; an older one's holds and captures are refused.
    epoch    BIGINT NOT NULL CHECK (epoch > 0),
    taken_at BIGINT NOT NULL
);

CREATE TABLE keys (
    id          TEXT COLLATE "C" PRIMARY KEY,
    account     TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    prefix      TEXT COLLATE "C" NOT NULL,
    sha256      TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at  BIGINT NOT NULL,
    revoked_at  BIGINT,
    policy      TEXT COLLATE "C" NOT NULL,
    replaced_by TEXT COLLATE "C",
    -- The first key of a key's chain of rotations, by which spending is summed: a rotation must not empty a budget.
    root        TEXT COLLATE "C" NOT NULL
);
CREATE INDEX keys_by_root ON keys (root, id);
CREATE INDEX keys_by_account ON keys (account, created_at, id);

CREATE TABLE members (
    account    TEXT COLLATE "C" NOT NULL,
    subject    TEXT COLLATE "C" NOT NULL,
    role       TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'billing', 'developer', 'viewer')),
    name       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, subject)
);
CREATE INDEX members_by_subject ON members (subject, account);

-- What was spent a day, by key and model, added up as it is charged: statements, forecasts and alerts must not add up
-- every charge there ever was. `day` counts days since 1970-01-01 UTC; `key` is the key that was shown, '' for none.
CREATE TABLE usage_days (
    account    TEXT COLLATE "C" NOT NULL,
    day        BIGINT NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    model      TEXT COLLATE "C" NOT NULL,
    requests   BIGINT NOT NULL,
    prompt     BIGINT NOT NULL,
    cached     BIGINT NOT NULL,
    completion BIGINT NOT NULL,
    total      BIGINT NOT NULL,
    PRIMARY KEY (account, day, key, model)
);

-- How far the log had come, signed by its owner; and the full subtrees of every eighth level of the Merkle tree (RFC 6962)
-- over the hashes of its transfers, from which any proof is made with few reads.
CREATE TABLE checkpoints (
    seq       BIGINT PRIMARY KEY,
    hash      TEXT COLLATE "C" NOT NULL,
    root      TEXT COLLATE "C" NOT NULL,
    at        BIGINT NOT NULL,
    key       TEXT COLLATE "C" NOT NULL,
    signature TEXT COLLATE "C" NOT NULL
);
CREATE TABLE merkle_nodes (
    level BIGINT NOT NULL,
    place BIGINT NOT NULL,
    hash  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (level, place)
);

-- Where an account wants to be told that a budget is being used up, and what it was told. A hook is in the log too, but for
-- its secret, of which the log has the hash. Alerts change with every try, so that each carries a checksum instead.
CREATE TABLE alert_hooks (
    account    TEXT COLLATE "C" PRIMARY KEY,
    url        TEXT COLLATE "C" NOT NULL,
    secret     TEXT COLLATE "C" NOT NULL,
    budgets    TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);
-- `id` is made of account, scope, span, beginning and level: each of those is told once.
CREATE TABLE alerts (
    id         TEXT COLLATE "C" PRIMARY KEY,
    account    TEXT COLLATE "C" NOT NULL,
    scope      TEXT COLLATE "C" NOT NULL,
    span       TEXT COLLATE "C" NOT NULL CHECK (span IN ('day', 'week', 'month', 'lifetime')),
    since      BIGINT NOT NULL,
    level      BIGINT NOT NULL,
    budget     BIGINT NOT NULL,
    spent      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    state      TEXT COLLATE "C" NOT NULL CHECK (state IN ('due', 'delivered', 'given_up', 'passed')),
    attempts   BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    seal       TEXT COLLATE "C" NOT NULL
);
CREATE INDEX alerts_due ON alerts (next_at) WHERE state = 'due';

CREATE FUNCTION keep_log() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% are append-only', replace(TG_TABLE_NAME, '_', ' '); END $$;

CREATE TRIGGER transfers_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers FOR EACH STATEMENT EXECUTE FUNCTION keep_log();
CREATE TRIGGER entries_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION keep_log();
CREATE TRIGGER charges_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON charges FOR EACH STATEMENT EXECUTE FUNCTION keep_log();
CREATE TRIGGER charge_parts_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON charge_parts FOR EACH STATEMENT EXECUTE FUNCTION keep_log();
CREATE TRIGGER checkpoints_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoints FOR EACH STATEMENT EXECUTE FUNCTION keep_log();
CREATE TRIGGER merkle_nodes_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON merkle_nodes FOR EACH STATEMENT EXECUTE FUNCTION keep_log();

INSERT INTO accounts (id, kind, name, created_at) VALUES
    ('platform:fees', 'platform', 'fees earned', 0),
    ('platform:grants', 'platform', 'credit granted', 0),
    ('platform:stripe', 'platform', 'payments through Stripe', 0),
    ('platform:chain', 'platform', 'payments on chain', 0),
    ('platform:refunds', 'platform', 'refunds under way', 0),
    ('platform:disputes', 'platform', 'disputed payments', 0),
    ('platform:failover', 'platform', 'work that no customer paid', 0);
