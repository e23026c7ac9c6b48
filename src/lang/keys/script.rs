//! The maps of what holds for the whole script.

use super::Absent::{Nothing, Value};
use super::{Keys, Kind, key, names};
use crate::lang::functions::KINDS;
use crate::plan::{Order, UndoScope};

const TYPES: &[&str] = &names(&KINDS);
const ORDERS: &[&str] = &names(&Order::ALL);
const UNDOS: &[&str] = &names(&UndoScope::ALL);
const STRATEGY_KIND: Kind = Kind::Or(&[Kind::Choice(&["retry", "wait", "fail"]), Kind::Map(Some(&STRATEGY))]);

/// `param(name, #{…})`
pub static PARAM: Keys = Keys {
    name: "param",
    form: "param(\"p\", …);",
    of: &["param"],
    keys: &[
        key("default", Kind::Value, Nothing("it must be given", "\"staging\""), "the value if none is given"),
        key(
            "type",
            Kind::Choice(TYPES),
            Nothing("that of the default, else `\"string\"`", "\"string\""),
            "what kind of value it is; a list is given as `a,b,c`, a map as JSON; a path is a text that is empty only by default",
        ),
        key(
            "one_of",
            Kind::List(None),
            Nothing("any value", "[\"staging\", \"production\"]"),
            "the values to choose from",
        ),
        key("min", Kind::Number, Nothing("any number", "1"), "the least that a number may be (`type` int or float)"),
        key("max", Kind::Number, Nothing("any number", "65535"), "the most that a number may be (`type` int or float)"),
        key(
            "help",
            Kind::Text,
            Nothing("none", "\"target environment\""),
            "what it means, for `flow script FILE --help`",
        ),
    ],
};

/// `limit(name, #{…})`
pub static LIMIT: Keys = Keys {
    name: "limit",
    form: "limit(\"l\", …);\nsh(\"a\", \"true\").limit(\"l\");",
    of: &["limit"],
    keys: &[
        key(
            "max",
            Kind::Or(&[Kind::Count(1), Kind::Bytes]),
            Nothing("any number", "2"),
            "how many shares are held at the same time, at most; or how much, of a limit of sizes",
        ),
        key("min", Kind::Count(0), Nothing("`max`", "1"), "how many shares there are when nothing waits; needs `max`"),
        key(
            "scale",
            Kind::Text,
            Nothing("`max`; with `min`, a share for each that waits", "\"queue.length / 100\""),
            "how many shares there are: `queue.length / N` is one for so many that wait, between `min` and `max`",
        ),
        key(
            "idle_timeout",
            Kind::Duration,
            Nothing("a minute, where the number follows what waits", "\"1m\""),
            "after how long a share that nobody held goes away",
        ),
        key(
            "per_minute",
            Kind::Count(1),
            Nothing("any number", "60"),
            "how many shares are taken within any 60 seconds, at most",
        ),
    ],
};

/// `settings(#{…})`
pub static SETTINGS: Keys = Keys {
    name: "settings",
    form: "settings(…);",
    of: &["settings"],
    keys: &[
        key(
            "max_parallel",
            Kind::Count(1),
            Nothing("the number of cores, at least 2", "4"),
            "how many steps run at the same time, at most",
        ),
        key(
            "timeout",
            Kind::Duration,
            Nothing("none", "\"1h\""),
            "the longest time of the run; after it everything is ended and the run has failed",
        ),
        key(
            "on_failure",
            Kind::Choice(&["stop"]),
            Nothing("other branches go on", "\"stop\""),
            "`\"stop\"`: after a failure nothing new starts",
        ),
        key(
            "order",
            Kind::Choice(ORDERS),
            Value("\"priority\""),
            "which of the steps that could start runs first: the one of highest priority, the one that was ready first (`\"fifo\"`), the one with the longest way to the end behind it (`\"critical_path\"`), the shortest",
        ),
        key(
            "undo",
            Kind::Choice(UNDOS),
            Value("\"checkpoint\""),
            "what is undone when the run fails: what succeeded since the latest checkpoint, `\"all\"`, or `\"nothing\"`",
        ),
        key("cwd", Kind::Text, Nothing("where flow was called", "\"build\""), "the folder in which processes run"),
        key(
            "env",
            Kind::Map(None),
            Nothing("what flow was started with", "#{ CC: \"clang\" }"),
            "further environment variables of all processes; values may be secrets",
        ),
        key("shell", Kind::Text, Nothing("`sh`", "\"bash\""), "the shell of all `sh` steps"),
        key(
            "output_limit",
            Kind::Bytes,
            Nothing("none", "\"100MB\""),
            "how much a process may write to its output, and to its standard error; more is a failure",
        ),
        key(
            "classes",
            Kind::Map(None),
            Nothing("the built-in ones alone", "#{ \"exit 75\": \"transient\" }"),
            "rules that give failures their class, before the built-in ones: `\"exit 75\"`, `\"signal 9\"`, `\"http 429\"`, `\"kind timeout\"`, or `\"/text/\"` for messages that hold the text",
        ),
        key(
            "strategies",
            Kind::Map(Some(&STRATEGIES)),
            Nothing("as for each class", "#{ agent: \"fail\" }"),
            "what is done about the failures of a class",
        ),
    ],
};

/// `settings(#{ strategies: #{…} })`: a key for each class.
pub static STRATEGIES: Keys = Keys {
    name: "settings.strategies",
    form: "settings(#{ strategies: … });",
    of: &[],
    keys: &[
        key(
            "transient",
            STRATEGY_KIND,
            Nothing("`\"retry\"`", "\"fail\""),
            "it may well go next time: a timeout, a connection, a busy server",
        ),
        key(
            "resource",
            STRATEGY_KIND,
            Nothing("`\"wait\"`", "#{ wait: \"1m\" }"),
            "something is used up: memory, disk, a quota",
        ),
        key(
            "configuration",
            STRATEGY_KIND,
            Nothing("`\"fail\"`", "\"retry\""),
            "the script or its surroundings are wrong",
        ),
        key(
            "agent",
            STRATEGY_KIND,
            Nothing("`\"retry\"`", "\"fail\""),
            "whoever did the work failed by itself: a program, an AI agent",
        ),
        key(
            "validation",
            STRATEGY_KIND,
            Nothing("`\"retry\"`", "\"fail\""),
            "the work was done, but what came out is not what was asked for",
        ),
        key("cancelled", STRATEGY_KIND, Nothing("`\"fail\"`", "\"retry\""), "somebody ended it"),
    ],
};

/// What is done about the failures of a class, as a map: one of the two.
pub static STRATEGY: Keys = Keys {
    name: "settings.strategies.class",
    form: "settings(#{ strategies: #{ transient: … } });",
    of: &[],
    keys: &[
        key(
            "retry",
            Kind::Or(&[Kind::Count(1), Kind::Map(Some(&super::RETRY))]),
            Nothing("as the step's `retry` says", "5"),
            "further attempts, also where a step has no `retry`",
        ),
        key(
            "wait",
            Kind::Duration,
            Nothing("no further wait", "\"1m\""),
            "as the step's `retry` says, but not before this time has passed",
        ),
    ],
};
