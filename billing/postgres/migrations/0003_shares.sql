-- What gateways have set aside of the budgets of keys and tokens. What is spent of them is in usage_days and charges; what is
-- here is given back when it expires. Shares change too often to be in the log, so that each carries a checksum instead.

CREATE TABLE budget_shares (
    scope      TEXT COLLATE "C" NOT NULL,
    owner      TEXT COLLATE "C" NOT NULL,
    amount     BIGINT NOT NULL CHECK (amount >= 0),
    expires_at BIGINT NOT NULL,
    seal       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (scope, owner)
);
CREATE INDEX budget_shares_by_owner ON budget_shares (owner);

-- What a key spent is summed from this index alone.
CREATE INDEX usage_days_by_key ON usage_days (key, day, total);
