//! Policies, and the maps that some of them take.

use super::Absent::{Needed, Nothing, Value};
use super::{BUDGET, Key, Keys, Kind, key, names};
use crate::lang::policies::{BACKOFF, ON_ERROR, PARSE};
use crate::plan::{Ack, Isolate, Rule};

const BACKOFFS: &[&str] = &names(&BACKOFF);
const ON_ERRORS: &[&str] = &names(&ON_ERROR);
const PARSES: &[&str] = &names(&PARSE);
const ACKS: &[&str] = &names(&Ack::ALL);
const ISOLATES: &[&str] = &names(&Isolate::ALL);
const RULES: &[&str] = &names(&Rule::ALL);

/// `.retry(#{…})`
pub static RETRY: Keys = Keys {
    name: "retry",
    form: "sh(\"a\", \"true\").retry(…);",
    of: &[".retry"],
    keys: &[
        key("max_attempts", Kind::Count(1), Value("3"), "how many attempts in all, the first included"),
        key("delay", Kind::Duration, Value("\"1s\""), "the wait before the second attempt"),
        key(
            "backoff",
            Kind::Choice(BACKOFFS),
            Value("\"exponential\""),
            "how the wait grows: `\"fixed\"` stays the same, `\"linear\"` is the delay times 1, 2, 3, …, `\"exponential\"` is the delay times 1, 2, 4, …",
        ),
        key("max_delay", Kind::Duration, Value("\"5m\""), "the longest wait, however it grows"),
        key(
            "jitter",
            Kind::Share,
            Value("0.0"),
            "the share of each wait that is drawn anew, so that many steps do not try again at the same moment: 0.5 gives between half the wait and the whole",
        ),
    ],
};

const THRESHOLD: Key =
    key("threshold", Kind::Count(1), Value("5"), "how many failures in a row, all within `window`, open the breaker");
const WINDOW: Key =
    key("window", Kind::Duration, Value("\"1m\""), "how long a failure counts; longer ago, it is forgotten");
const RESET: Key = key(
    "reset",
    Kind::Duration,
    Value("\"30s\""),
    "how long the breaker stays open before one attempt may try whether all is well again",
);

/// `breaker(name, #{…})`
pub static BREAKER: Keys = Keys {
    name: "breaker",
    form: "breaker(\"b\", …);\nsh(\"a\", \"true\").breaker(\"b\");",
    of: &["breaker"],
    keys: &[THRESHOLD, WINDOW, RESET],
};

/// `.breaker(#{…})`
pub static BREAKER_OF_STEP: Keys = Keys {
    name: "breaker",
    form: "sh(\"a\", \"true\").breaker(…);",
    of: &[".breaker"],
    keys: &[
        key("name", Kind::Text, Needed("\"api\""), "the breaker's name: steps that name the same one share it"),
        THRESHOLD,
        WINDOW,
        RESET,
    ],
};

/// `.cache(#{…})`
pub static CACHE: Keys = Keys {
    name: "cache",
    form: "sh(\"a\", \"true\").cache(…);",
    of: &[".cache"],
    keys: &[
        key("ttl", Kind::Duration, Nothing("for ever", "\"7d\""), "how long a result may be used again"),
        key(
            "inputs",
            Kind::Texts,
            Nothing("no files", "[\"src/**/*.c\", \"Makefile\"]"),
            "patterns of the files that the step reads, relative to its folder: when one of them changes, it runs again",
        ),
        key(
            "outputs",
            Kind::Texts,
            Nothing("no files", "[\"build/app\"]"),
            "patterns of the files that the step writes: when one of them is gone or was changed since, it runs again",
        ),
        key(
            "key",
            Kind::Value,
            Nothing("nothing", "\"v2\""),
            "whatever else the result depends on; may be the result of a step",
        ),
    ],
};

const fn policy(name: &'static str, kind: Kind, absent: super::Absent) -> Key {
    key(name, kind, absent, "")
}

/// All policies: methods of a step, and keys of a step's map. What each means stands at its method.
pub static POLICIES: [Key; 34] = [
    policy("after", Kind::Steps, Nothing("it waits for what it reads and what arrows say", "other")),
    policy("when", Kind::Condition, Nothing("always", "\"other.passed\"")),
    policy("rule", Kind::Choice(RULES), Value("\"all_success\"")),
    policy("retry", Kind::Or(&[Kind::Count(1), Kind::Map(Some(&RETRY))]), Nothing("one attempt", "3")),
    policy(
        "on_failure_retry",
        Kind::Closure("err"),
        Nothing("the class of the failure decides", "|err| err.code == 75"),
    ),
    policy("timeout", Kind::Duration, Nothing("none", "\"10m\"")),
    policy("fallback", Kind::Steps, Nothing("none", "other")),
    policy(
        "breaker",
        Kind::Or(&[Kind::Text, Kind::Map(Some(&BREAKER_OF_STEP))]),
        Nothing("none", "#{ name: \"api\" }"),
    ),
    policy(
        "on_error",
        Kind::Choice(ON_ERRORS),
        Nothing("what waits for the step is skipped, other branches go on, the run fails", "\"continue\""),
    ),
    policy("on_success", Kind::Steps, Nothing("nothing", "other")),
    policy("on_failure", Kind::Steps, Nothing("nothing", "other")),
    policy("finally", Kind::Steps, Nothing("nothing", "other")),
    policy("undo", Kind::Steps, Nothing("nothing is undone", "other")),
    policy("checkpoint", Kind::Text, Nothing("none", "\"half-way\"")),
    policy(
        "validate",
        Kind::Or(&[Kind::Closure("r"), Kind::Text, Kind::Map(None)]),
        Nothing("every result is good", "|r| r.output != ()"),
    ),
    policy(
        "cache",
        Kind::Or(&[Kind::Bool, Kind::Duration, Kind::Map(Some(&CACHE))]),
        Nothing("the step always runs", "\"1h\""),
    ),
    policy("priority", Kind::Integer, Value("0")),
    policy("deadline", Kind::Duration, Nothing("none", "\"10m\"")),
    policy("estimate", Kind::Duration, Nothing("what earlier runs took", "\"4m\"")),
    policy("limit", Kind::Or(&[Kind::Text, Kind::List(None)]), Nothing("none", "\"database\"")),
    policy("budget", Kind::Map(Some(&BUDGET)), Nothing("none", "#{ usd: 1.0 }")),
    policy("lock", Kind::Texts, Nothing("none", "\"schema\"")),
    policy("env", Kind::Map(None), Nothing("what flow was started with", "#{ CC: \"clang\" }")),
    policy("cwd", Kind::Text, Nothing("where flow was called", "\"build\"")),
    policy("writes", Kind::Texts, Nothing("it may be beside any other", "[\"src/**\"]")),
    policy("isolate", Kind::Choice(ISOLATES), Nothing("it works in its folder itself", "\"worktree\"")),
    policy("stdin", Kind::Value, Nothing("the chain's input, or nothing", "\"one\\ntwo\\n\"")),
    policy("parse", Kind::Choice(PARSES), Value("\"auto\"")),
    policy("shell", Kind::Text, Nothing("`sh`", "\"bash\"")),
    policy("output_limit", Kind::Bytes, Nothing("none", "\"100MB\"")),
    policy("ack", Kind::Choice(ACKS), Value("\"end\"")),
    policy("secret", Kind::Bool, Value("false")),
    policy("desc", Kind::Text, Nothing("none", "\"builds the release\"")),
    policy("tag", Kind::Texts, Nothing("none", "\"slow\"")),
];
