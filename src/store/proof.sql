-- What was signed of logs: with which key (its 32 bytes), and up to which event.
CREATE TABLE signatures (
    run       TEXT    NOT NULL,
    events    INTEGER NOT NULL,              -- how many there were
    head      BLOB    NOT NULL,              -- hash of the latest of them
    key       BLOB    NOT NULL,
    signature BLOB    NOT NULL,              -- Ed25519, see docs/log-format.md
    at        INTEGER NOT NULL,
    PRIMARY KEY (run, events, key)
) WITHOUT ROWID;

-- Runs that were removed and whose folders may still be there.
CREATE TABLE removed (
    run TEXT PRIMARY KEY
) WITHOUT ROWID;

-- When a text was kept last: one that no run refers to yet may be on its way into one.
ALTER TABLE sources ADD COLUMN kept_at INTEGER NOT NULL DEFAULT 0;
