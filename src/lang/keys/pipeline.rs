//! The maps of pipelines and of their stages.

use super::Absent::{Needed, Nothing, Value};
use super::{Key, Keys, Kind, key, names};
use crate::plan::{ItemError, Overflow};

const ON_ERRORS: &[&str] = &names(&ItemError::ALL);
const OVERFLOWS: &[&str] = &names(&Overflow::ALL);

const ON_ERROR: &str = "what happens with an item that fails: the pipeline fails and can go on from there later; the item is left out and counted; or it is kept with its error as a dead letter, for `flow pipeline dead` and `flow pipeline replay`";
const OVERFLOW: &str = "what happens when `buffer_size` items wait: those before wait too, which is back-pressure; the oldest or the newest are dropped, and counted; or the pipeline fails";
const PRESSURE: &str =
    "true is `overflow: \"block\"`; false is `overflow: \"drop_oldest\"`, if `overflow` does not say how else";

const PARALLELISM: Key =
    key("parallelism", Kind::Count(1), Value("1"), "how many items, or batches, it works on at the same time");
const ORDERED: Key = key(
    "ordered",
    Kind::Bool,
    Value("true"),
    "items leave the stage in the order in which they came, also with `parallelism`; without it each goes on at once",
);
const RETRY_KIND: Kind = Kind::Or(&[Kind::Count(1), Kind::Map(Some(&super::RETRY))]);
const RETRY: Key = key(
    "retry",
    RETRY_KIND,
    Nothing("one attempt", "3"),
    "how many attempts in all an item, or a batch, has; a map says more, as in `.retry`",
);
const TIMEOUT: Key =
    key("timeout", Kind::Duration, Nothing("none", "\"5s\""), "the longest time for an item, or a batch");
const STAGE_ON_ERROR: Key =
    key("on_error", Kind::Choice(ON_ERRORS), Nothing("as the pipeline says", "\"dead_letter\""), ON_ERROR);
const BATCH_SIZE: Key =
    key("batch_size", Kind::Count(1), Nothing("single items", "100"), "it gets arrays of so many items");
const BATCH_TIMEOUT: Key = key(
    "batch_timeout",
    Kind::Duration,
    Nothing("a batch waits until it is full", "\"1s\""),
    "with `batch_size`: what there is goes on after this time",
);
const STAGE_BUFFER: Key = key(
    "buffer_size",
    Kind::Count(1),
    Nothing("as the pipeline says", "100"),
    "how many items wait before the stage, at most",
);
const STAGE_OVERFLOW: Key =
    key("overflow", Kind::Choice(OVERFLOWS), Nothing("as the pipeline says", "\"drop_oldest\""), OVERFLOW);
const STAGE_PRESSURE: Key = key("backpressure", Kind::Bool, Nothing("as the pipeline says", "true"), PRESSURE);

/// `.stage(name, closure, #{…})` and all other stages
pub static STAGE: Keys = Keys {
    name: "stage",
    form: "pipeline(\"p\").from([1, 2]).stage(\"s\", |item| item, …);",
    of: &[".stage", ".filter", ".flat_map", ".sh", ".exec", ".worker", ".http", ".workflow", ".both"],
    keys: &[
        PARALLELISM,
        ORDERED,
        RETRY,
        TIMEOUT,
        STAGE_ON_ERROR,
        BATCH_SIZE,
        BATCH_TIMEOUT,
        STAGE_BUFFER,
        STAGE_OVERFLOW,
        STAGE_PRESSURE,
    ],
};

const BUFFER: Key = key("buffer_size", Kind::Count(1), Value("1024"), "how many items wait before each stage, at most");
const ALL_OVERFLOW: Key = key("overflow", Kind::Choice(OVERFLOWS), Value("\"block\""), OVERFLOW);
const ALL_PRESSURE: Key = key("backpressure", Kind::Bool, Value("true"), PRESSURE);
const CONTINUOUS: Key = key(
    "continuous",
    Kind::Bool,
    Value("false"),
    "it has no end by itself: it runs until it is cancelled or interrupted, and goes on from there when it is resumed; for `interval`, `watch`, programs and what flow reads",
);
const TAKE: Key =
    key("take", Kind::Count(1), Nothing("all there are", "1000"), "it ends after so many items of the source");
const ALL_ON_ERROR: Key = key("on_error", Kind::Choice(ON_ERRORS), Value("\"stop\""), ON_ERROR);

/// `.options(#{…})`
pub static PIPELINE_OPTIONS: Keys = Keys {
    name: "pipeline.options",
    form: "pipeline(\"p\").from(lines(#{ sh: \"ls\" })).options(…);",
    of: &[".options"],
    keys: &[BUFFER, ALL_OVERFLOW, ALL_PRESSURE, CONTINUOUS, TAKE, ALL_ON_ERROR],
};

/// `pipeline(#{…})`
pub static PIPELINE: Keys = Keys {
    name: "pipeline",
    form: "let page = sh(\"page\", \"./page.sh\");\npipeline(…);",
    of: &["pipeline"],
    keys: &[
        key("name", Kind::Text, Nothing("the pipeline has no name", "\"logs\""), "the pipeline's name"),
        key("source", Kind::Value, Needed("lines(#{ sh: \"ls\" })"), "where the items come from, as in `.from`"),
        key(
            "stages",
            Kind::List(Some(&STAGE_MAP)),
            Nothing("items go on as they are", "[#{ name: \"loud\", do: |line| line.to_upper() }]"),
            "what is done with each item, in order",
        ),
        key(
            "sink",
            Kind::Value,
            Nothing("the items are the step's output", "lines(\"out.txt\")"),
            "where they go, as in `.to`; or `\"discard\"`",
        ),
        BUFFER,
        ALL_OVERFLOW,
        ALL_PRESSURE,
        CONTINUOUS,
        TAKE,
        ALL_ON_ERROR,
        key(
            "alerts",
            Kind::List(Some(&super::ALERT)),
            Nothing("none", "[#{ metric: \"error_rate\", above: 0.1, do: page }]"),
            "what is watched, as in `.alert`",
        ),
    ],
};

/// A stage in `pipeline(#{ stages: […] })`: a name, what it does, and what else is said of it.
pub static STAGE_MAP: Keys = Keys {
    name: "pipeline.stages",
    form: "pipeline(#{ source: [1, 2], stages: [#{ name: \"first\", do: |item| item }, …] });",
    of: &[],
    keys: &[
        key("name", Kind::Text, Nothing("it is called after what it does", "\"parse\""), "the stage's name"),
        key("do", Kind::Closure("item"), Nothing("another kind", "|item| item"), "as in `.stage`"),
        key("filter", Kind::Closure("item"), Nothing("another kind", "|item| item > 1"), "as in `.filter`"),
        key("flat_map", Kind::Closure("item"), Nothing("another kind", "|item| [item, item]"), "as in `.flat_map`"),
        key("sh", Kind::Text, Nothing("another kind", "\"./convert.sh $ITEM\""), "as in `.sh`"),
        key("exec", Kind::List(None), Nothing("another kind", "[\"wc\", \"-c\"]"), "as in `.exec`"),
        key(
            "worker",
            Kind::Or(&[Kind::Text, Kind::List(None)]),
            Nothing("another kind", "\"python3 worker.py\""),
            "as in `.worker`",
        ),
        key(
            "http",
            Kind::Closure("item"),
            Nothing("another kind", "|item| #{ url: `https://example.org/${item}` }"),
            "as in `.http`",
        ),
        key("workflow", Kind::Text, Nothing("another kind", "\"ci/test.rhai\""), "as in `.workflow`"),
        key("both", Kind::List(None), Nothing("another kind", "[|item| item, |item| -item]"), "as in `.both`"),
        key("batch", Kind::Count(1), Nothing("another kind", "100"), "as in `.batch`"),
        key(
            "args",
            Kind::Closure("item"),
            Nothing("the item, if it is a map", "|item| #{ id: item }"),
            "with `workflow`: its parameters",
        ),
        PARALLELISM,
        ORDERED,
        RETRY,
        TIMEOUT,
        STAGE_ON_ERROR,
        BATCH_SIZE,
        BATCH_TIMEOUT,
        STAGE_BUFFER,
        STAGE_OVERFLOW,
        STAGE_PRESSURE,
    ],
};
