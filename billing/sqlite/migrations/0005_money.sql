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
