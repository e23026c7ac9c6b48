-- What people and other programs say to runs. `number` is the place in the order in which it came.
-- An answer is for one attempt of one step, and there is at most one; signals have neither.
CREATE TABLE inbox (
    number  INTEGER PRIMARY KEY,
    run     TEXT    NOT NULL,
    step    TEXT,                            -- path of the step
    attempt INTEGER,
    signal  TEXT,                            -- name of the signal
    answer  TEXT    NOT NULL,                -- JSON, as in the event `answered`
    UNIQUE (run, step, attempt)
);
