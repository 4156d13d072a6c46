-- What gateways have set aside of the budgets of keys and tokens. What is spent of them is in usage_days and charges; what is
-- here is given back when it expires. Shares change too often to be in the log, so that each carries a checksum instead.

CREATE TABLE budget_shares (
    scope      TEXT NOT NULL,
    owner      TEXT NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount >= 0),
    expires_at INTEGER NOT NULL,
    seal       TEXT NOT NULL,
    PRIMARY KEY (scope, owner)
) STRICT, WITHOUT ROWID;
CREATE INDEX budget_shares_by_owner ON budget_shares (owner);

-- What a key spent is summed from this index alone.
CREATE INDEX usage_days_by_key ON usage_days (key, day, total);
