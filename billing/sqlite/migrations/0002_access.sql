-- Who may call, and who may spend what.
--
-- A change that somebody made says so in the log itself: transfers.audit is who did what to what, as JSON, and
-- transfers.audit_account whose change it is. Transfers of schema 1, charges, and operators' accounts that
-- their first charge opens have neither. Both are part of the hash chain, so there is no second copy to keep
-- honest.

ALTER TABLE transfers ADD COLUMN audit_account TEXT;
ALTER TABLE transfers ADD COLUMN audit TEXT;
CREATE INDEX transfers_by_audit_account ON transfers (audit_account, seq) WHERE audit_account IS NOT NULL;

-- The default is the policy that keys of schema 1 had without a word.
ALTER TABLE keys ADD COLUMN policy TEXT NOT NULL DEFAULT '{"scopes":["inference","usage:read"]}';
ALTER TABLE keys ADD COLUMN replaced_by TEXT;
-- The first key of a key's chain of rotations, by which spending is summed: a rotation must not empty a budget.
-- Keys of schema 1 were never rotated.
ALTER TABLE keys ADD COLUMN root TEXT NOT NULL DEFAULT '';
UPDATE keys SET root = id;
CREATE INDEX keys_by_root ON keys (root, id);
CREATE INDEX keys_by_account ON keys (account, created_at, id);

CREATE TABLE members (
    account    TEXT NOT NULL,
    subject    TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('owner', 'billing', 'developer', 'viewer')),
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_subject ON members (subject, account);

-- What was spent, per account, key and minted token, is summed from these indexes alone.
ALTER TABLE charges ADD COLUMN token_id TEXT;
DROP INDEX charges_by_account;
CREATE INDEX charges_by_account ON charges (account, transfer, total);
CREATE INDEX charges_by_key ON charges (key_id, created_at, total) WHERE key_id IS NOT NULL;
CREATE INDEX charges_by_token ON charges (token_id, created_at, total) WHERE token_id IS NOT NULL;
