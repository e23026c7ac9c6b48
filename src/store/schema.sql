-- The store of flow, version 1. `docs/log-format.md` says how to read and check it without flow.
-- Times are milliseconds since 1970 (UTC); hashes in `events` and `runs` are 32 bytes, elsewhere hexadecimal.

PRAGMA application_id = 0x666c6f77; -- "flow"

-- One row a run. `number` is its place in the order of creation. Everything from `status` on is a projection of the
-- run's events, written in the same transaction as they are.
CREATE TABLE runs (
    number     INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    workflow   TEXT    NOT NULL,
    file       TEXT    NOT NULL,             -- absolute path of the script, `-` for standard input
    created_at INTEGER NOT NULL,
    status     TEXT    NOT NULL,             -- pending, running, paused, success, failed, cancelled
    updated_at INTEGER NOT NULL,             -- time of the latest event
    ended_at   INTEGER,
    events     INTEGER NOT NULL,             -- how many there are
    head       BLOB    NOT NULL,             -- hash of the latest event
    total      INTEGER NOT NULL,             -- steps of the plan that are not groups, and how they ended
    success    INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    skipped    INTEGER NOT NULL,
    cancelled  INTEGER NOT NULL
);

CREATE INDEX unfinished ON runs (file) WHERE ended_at IS NULL;

-- The events of all runs. `key` is the run's number times 2^32 plus the event's number in the run: one integer keeps
-- rows small and makes appending the cheapest thing that SQLite can do.
CREATE TABLE events (
    key   INTEGER PRIMARY KEY,
    at    INTEGER NOT NULL,
    event TEXT    NOT NULL,                  -- JSON
    hash  BLOB    NOT NULL                   -- SHA-256 over the hash before, and this row
);

-- The same for people: `SELECT * FROM log WHERE run = '…'`.
CREATE VIEW log (run, seq, at, type, event, hash) AS
    SELECT runs.id, key & 0xffffffff, at, event ->> 'type', event, lower(hex(hash))
    FROM runs JOIN events ON key >= number << 32 AND key < (number + 1) << 32;

-- Scripts and what they import, each text once.
CREATE TABLE sources (
    sha256 TEXT PRIMARY KEY,
    text   TEXT NOT NULL
) WITHOUT ROWID;

-- How long steps usually take: an exponential moving average over the runs of a workflow.
CREATE TABLE durations (
    workflow TEXT    NOT NULL,
    step     TEXT    NOT NULL,               -- path of the step
    ms       INTEGER NOT NULL,
    PRIMARY KEY (workflow, step)
) WITHOUT ROWID;
