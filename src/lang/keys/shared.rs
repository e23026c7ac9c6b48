//! The maps of what steps share: boards, memories, topics.

use super::Absent::{Nothing, Value};
use super::{Keys, Kind, key, names};
use crate::plan::OnConflict;

/// `board(name, #{…})`
pub static BOARD: Keys = Keys {
    name: "board",
    form: "let project = board(\"project\");\nboard(\"a\", …);",
    of: &["board"],
    keys: &[key(
        "parent",
        Kind::Step,
        Nothing("none", "project"),
        "another board: what is not noted on this one is looked for there",
    )],
};

/// `memory(name, #{…})`
pub static MEMORY: Keys = Keys {
    name: "memory",
    form: "memory(\"a\", …);",
    of: &["memory"],
    keys: &[key(
        "ttl",
        Kind::Duration,
        Nothing("for ever", "\"30d\""),
        "how long a note lasts after it was made; older ones are not there when a run begins to use the memory",
    )],
};

/// `on_event(topic, closure, #{…})`
pub static ON_EVENT: Keys = Keys {
    name: "on_event",
    form: "on_event(\"a\", \"found\", |event| sh(\"b\", \"true\"), …);",
    of: &["on_event"],
    keys: &[key(
        "max",
        Kind::Count(1),
        Value("100"),
        "how many events are heard, at most; one more is a failure, so that steps which publish for themselves have an end",
    )],
};

const ON_CONFLICT: &[&str] = &names(&OnConflict::ALL);

/// `merge(name, steps, #{…})`
pub static MERGE: Keys = Keys {
    name: "merge",
    form: "merge(\"a\", [sh(\"b\", \"true\").isolate(\"worktree\")], …);",
    of: &["merge"],
    keys: &[key(
        "on_conflict",
        Kind::Choice(ON_CONFLICT),
        Value("\"fail\""),
        "where two have changed the same: `\"fail\"` merges nothing, `\"ours\"` keeps what is there already, `\"theirs\"` takes what comes, `\"skip\"` leaves out the branch that does not fit",
    )],
};
