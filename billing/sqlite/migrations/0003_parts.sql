-- Answers that several nodes delivered, one going on where another had died.
--
-- A charge stays one row, whose node, operator and price are those of the node that delivered last, and whose tokens are
-- the whole answer's. Only where several nodes delivered, each has a part here, in their order. The prompt is in the last
-- part alone. Parts are hashed with their transfer, as its charge is.

CREATE TABLE charge_parts (
    transfer           INTEGER NOT NULL,
    part               INTEGER NOT NULL,
    node               TEXT NOT NULL,
    operator           TEXT NOT NULL,
    price_input        INTEGER NOT NULL,
    price_cached       INTEGER NOT NULL,
    price_output       INTEGER NOT NULL,
    prompt             INTEGER NOT NULL,
    cached             INTEGER NOT NULL,
    completion         INTEGER NOT NULL,
    claimed_prompt     INTEGER NOT NULL,
    claimed_cached     INTEGER NOT NULL,
    claimed_completion INTEGER NOT NULL,
    earned             INTEGER NOT NULL,
    PRIMARY KEY (transfer, part)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER charge_parts_keep_update BEFORE UPDATE ON charge_parts
BEGIN SELECT RAISE(ABORT, 'parts of charges are append-only'); END;
CREATE TRIGGER charge_parts_keep_delete BEFORE DELETE ON charge_parts
BEGIN SELECT RAISE(ABORT, 'parts of charges are append-only'); END;
