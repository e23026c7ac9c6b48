-- Breakers, by name, across runs: a projection of the events of all runs, written in the same transaction as they are,
-- but for the attempts that try an open one, which are written when they are let through.
CREATE TABLE breakers (
    name  TEXT PRIMARY KEY,
    state TEXT NOT NULL                      -- JSON
) WITHOUT ROWID;
