//! The maps of streams and of what reads or writes items.

use super::Absent::{Nothing, Value};
use super::{Key, Keys, Kind, key, names};
use crate::lang::weave::{ON_LINE, SLOW};
use crate::plan::{Merge, Metric, Severity};

const MERGES: &[&str] = &names(&Merge::ALL);
const SLOWS: &[&str] = &names(&SLOW);
const ON_LINES: &[&str] = &names(&ON_LINE);
const METRICS: &[&str] = &names(&Metric::ALL);
const SEVERITIES: &[&str] = &names(&Severity::ALL);

/// `stream(name, levels, #{…})`
pub static STREAM: Keys = Keys {
    name: "stream",
    form: "stream(\"s\", [sh(\"a\", \"ls\"), [sh(\"b\", \"wc -l\"), sh(\"c\", \"sort\")]], …);",
    of: &["stream"],
    keys: &[
        key(
            "merge",
            Kind::Choice(MERGES),
            Value("\"auto\""),
            "how the lines of several writers come together: `\"raw\"`, as they are; `\"tagged\"`, each as `{\"source\": \"a\", \"value\": …}`, or `text` where it is no JSON; `\"auto\"`, lines that are JSON objects tagged, others as they are",
        ),
        key(
            "slow",
            Kind::Choice(SLOWS),
            Value("\"block\""),
            "what happens where several read the same and one is slow: all wait for it, or it misses the oldest lines, which are counted",
        ),
        key(
            "buffer",
            Kind::Count(1),
            Nothing("1000 lines, with `slow: \"drop_oldest\"`", "500"),
            "how many lines wait for a slow reader before the oldest are dropped",
        ),
        key(
            "tee",
            Kind::Bytes,
            Value("\"1 MiB\""),
            "how much of what each step writes is kept, as its log and its output",
        ),
        key(
            "linger",
            Kind::Duration,
            Value("\"2s\""),
            "how long a step may go on when nobody reads it any more; then it is ended, which is a success",
        ),
        key(
            "max_line",
            Kind::Bytes,
            Value("\"64 MiB\""),
            "the longest line, where lines are told apart; a longer one is a failure",
        ),
    ],
};

/// `lines(name, closure, #{…})`, `ndjson(…)` in a stream
pub static FILTER: Keys = Keys {
    name: "filter",
    form: "sh(\"a\", \"ls\") |> lines(\"b\", |line| line, …);",
    of: &[],
    keys: &[key(
        "on_error",
        Kind::Choice(ON_LINES),
        Value("\"stop\""),
        "what happens with a line for which the closure fails: the step fails, or the line is left out and counted",
    )],
};

const APPEND: Key = key(
    "append",
    Kind::Bool,
    Value("false"),
    "as a sink: writes behind what stands in the file already; else the file is written anew",
);

/// `lines(path, #{…})`, `ndjson(path, #{…})`: of a sink, or in a stream
pub static FILE: Keys = Keys {
    name: "file",
    form: "pipeline(\"p\").from([1, 2]).to(lines(\"out.txt\", …));",
    of: &["lines", "ndjson"],
    keys: &[
        APPEND,
        key(
            "on_error",
            Kind::Choice(ON_LINES),
            Value("\"stop\""),
            "with a closure, in a stream: what happens with a line for which it fails: the step fails, or the line is left out and counted",
        ),
    ],
};

/// `csv(path, #{…})`
pub static CSV: Keys = Keys {
    name: "csv",
    form: "pipeline(\"p\").from([#{ a: 1 }]).to(csv(\"out.csv\", …));",
    of: &["csv"],
    keys: &[
        key(
            "header",
            Kind::Bool,
            Value("true"),
            "the names of the columns stand in the first row, and each item is a map; else items are arrays",
        ),
        key(
            "delimiter",
            Kind::Text,
            Value("\",\""),
            "what stands between the fields: one ASCII character, such as `\";\"`",
        ),
        APPEND,
    ],
};

/// `lines(#{…})`
pub static PROGRAM: Keys = Keys {
    name: "program",
    form: "pipeline(\"p\").from(lines(…));",
    of: &[],
    keys: &[
        key("sh", Kind::Text, Nothing("`exec`", "\"zcat big.gz\""), "a shell script, as in `sh`"),
        key(
            "exec",
            Kind::List(None),
            Nothing("`sh`", "[\"zcat\", \"big.gz\"]"),
            "a program and its arguments, as in `exec`",
        ),
    ],
};

/// `watch(folder, #{…})`
pub static WATCH: Keys = Keys {
    name: "watch",
    form: "pipeline(\"p\").from(watch(\"inbox\", …)).options(#{ take: 3 });",
    of: &["watch"],
    keys: &[
        key("pattern", Kind::Text, Nothing("all files", "\"*.csv\""), "which files, by their names"),
        key("existing", Kind::Bool, Value("true"), "those that are there already come first"),
        key(
            "settle",
            Kind::Duration,
            Value("\"200ms\""),
            "a file counts as written when it has not changed for so long",
        ),
    ],
};

/// `step.alert(#{…})`, `alert(#{…})`
pub static ALERT: Keys = Keys {
    name: "alert",
    form: "let page = sh(\"page\", \"./page.sh\");\npipeline(\"p\").from([1, 2]).stage(\"parse\", |x| x).alert(…);",
    of: &[".alert"],
    keys: &[
        key(
            "metric",
            Kind::Choice(METRICS),
            super::Absent::Needed("\"throughput\""),
            "which figure: items out per second (bytes, in a stream), failed items as a share of those that came in, the time in milliseconds that half, 95 or 99 of 100 items stay below, items that wait, dropped items so far, dead letters so far",
        ),
        key("above", Kind::Number, Nothing("`below` is the bound", "1000"), "it is raised when the figure is greater"),
        key(
            "below",
            Kind::Number,
            Nothing("`above` is the bound", "10"),
            "it is raised when the figure is smaller; one of the two must be given",
        ),
        key("for", Kind::Duration, Value("0"), "it has to be so for this long"),
        key(
            "stage",
            Kind::Text,
            Nothing("of the worst of them", "\"parse\""),
            "of which stage, or which step of a stream, the figure is; `\"source\"` and `\"sink\"` are the ends of a pipeline",
        ),
        key("severity", Kind::Choice(SEVERITIES), Value("\"warning\""), "how bad it is"),
        key(
            "do",
            Kind::Step,
            Nothing("it is told", "page"),
            "the step that runs when the alert is first raised, while the other goes on; it is skipped if that never happens",
        ),
    ],
};
