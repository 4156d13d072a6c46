-- Who holds credit for requests: gateways, and which of the processes that go by one's name is the latest.

CREATE TABLE owners (
    owner    TEXT NOT NULL PRIMARY KEY,
    -- Grows by one with each process that takes over; an older one's holds and captures are refused.
    epoch    INTEGER NOT NULL CHECK (epoch > 0),
    taken_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
