-- What lasts over runs (`memory("name")`): the latest note under each key, written in the transaction of the event by which the step
-- that made it ended.
CREATE TABLE memories (
    name  TEXT NOT NULL,
    key   TEXT NOT NULL,
    value TEXT NOT NULL,                     -- JSON
    at    INTEGER NOT NULL,                  -- milliseconds since 1970
    run   TEXT NOT NULL,
    PRIMARY KEY (name, key)
) WITHOUT ROWID;
