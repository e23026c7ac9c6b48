//! What only tests of workflows have.

use super::Absent::{Nothing, Value};
use super::{Keys, Kind, key, names};
use crate::event::FailureKind;
use crate::plan::Class;

/// All kinds of failures, with their names.
pub const KINDS: [(&str, FailureKind); 17] = {
    let mut kinds = [("", FailureKind::Exit); 17];
    let mut at = 0;
    while at < kinds.len() {
        kinds[at] = (FailureKind::ALL[at].name(), FailureKind::ALL[at]);
        at += 1;
    }
    kinds
};

const KIND_NAMES: &[&str] = &names(&KINDS);
const CLASSES: &[&str] = &names(&Class::ALL);

/// `double.fails(#{…})`
pub static FAILS: Keys = Keys {
    name: "fails",
    form: "fn test_it() {\n    given(\"push\").fails(…);\n}",
    of: &[".fails"],
    keys: &[
        key("message", Kind::Text, Nothing("one that names the exit code", "\"no space left\""), "what went wrong"),
        key("code", Kind::Count(0), Value("1"), "the exit code of a process, or the status of an answer"),
        key("kind", Kind::Choice(KIND_NAMES), Value("\"exit\""), "what sort of failure it is"),
        key(
            "class",
            Kind::Choice(CLASSES),
            Nothing("that of the kind and the code", "\"transient\""),
            "what is done about it: whether there is another attempt, for instance",
        ),
        key(
            "retry_after",
            Kind::Duration,
            Nothing("the wait that the step's `retry` says", "\"30s\""),
            "how long a server asks to be left alone before the next attempt",
        ),
    ],
};
