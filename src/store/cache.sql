-- Results that later runs may use again, by the hash of all that they depend on. Nothing else depends on them: they
-- can be removed at any time.
CREATE TABLE results (
    key      TEXT    PRIMARY KEY,            -- SHA-256
    workflow TEXT    NOT NULL,
    step     TEXT    NOT NULL,               -- path of the step
    run      TEXT    NOT NULL,               -- id of the run in which it was made
    at       INTEGER NOT NULL,               -- when
    used_at  INTEGER NOT NULL,               -- when it was used last, to within a day
    result   TEXT    NOT NULL,               -- JSON: the outcome, and which files belong to it
    texts    BLOB    NOT NULL,               -- what is in the short ones of them, one after the other
    parts    TEXT    NOT NULL                -- JSON: what it depends on, names and beginnings of hashes
) WITHOUT ROWID;

CREATE INDEX latest_results ON results (workflow, step, at);

-- Hashes of files that steps read or wrote: as long as nothing about a file has changed, it is not read again.
CREATE TABLE files (
    path       TEXT    PRIMARY KEY,
    bytes      INTEGER NOT NULL,
    inode      INTEGER NOT NULL,
    changed_ns INTEGER NOT NULL,
    touched_ns INTEGER NOT NULL,
    sha256     TEXT    NOT NULL,
    hashed_at  INTEGER NOT NULL
) WITHOUT ROWID;
